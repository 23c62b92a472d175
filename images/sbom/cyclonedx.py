"""The bill of materials in CycloneDX 1.6 (ECMA-424), as JSON, made and checked by cyclonedx-python-lib."""

from __future__ import annotations

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from images.sbom.parts import File, Part, Subject

__all__ = ["cyclonedx_bill"]


def cyclonedx_bill(subject: Subject) -> str:
    """The bill as JSON text."""
    image = Component(name=subject.name, version=subject.version, type=ComponentType.OPERATING_SYSTEM, bom_ref="image")
    tool = Component(name=subject.name, version=subject.version, type=ComponentType.APPLICATION, bom_ref="builder")
    bom = Bom(serial_number=subject.identity, metadata=BomMetaData(component=image, timestamp=subject.created))
    bom.metadata.tools.components.add(tool)
    for part in subject.parts:
        bom.components.add(_package(part))
    for file in subject.files:
        bom.components.add(_file(file))
    bom.register_dependency(image, bom.components)
    text = JsonV1Dot6(bom).output_as_string(indent=1)
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    assert problem is None, f"our CycloneDX document is not valid: {problem}"
    return text + "\n"


def _package(part: Part) -> Component:
    purl = part.purl
    source = part.source_purl
    return Component(
        name=part.name, version=part.version, type=ComponentType.LIBRARY, bom_ref=str(purl), purl=purl,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=part.sha256)] if part.sha256 else [],
        licenses=[LicenseExpression(part.licence)] if part.licence else [],
        properties=[Property(name="zeroth:source", value=str(source))] if source else [],
    )  # fmt: skip


def _file(file: File) -> Component:
    return Component(
        name=file.name, type=ComponentType.FILE, bom_ref=f"file:{file.name}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=file.sha256)],
    )  # fmt: skip
