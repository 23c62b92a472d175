"""The bill of materials in SPDX 2.3 (ISO/IEC 5962), as JSON, made and checked by spdx-tools."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping

from spdx_tools.spdx.model import (
    Actor,
    ActorType,
    Checksum,
    ChecksumAlgorithm,
    CreationInfo,
    Document,
    ExternalPackageRef,
    ExternalPackageRefCategory,
    ExtractedLicensingInfo,
    Package,
    PackagePurpose,
    Relationship,
    RelationshipType,
    SpdxNoAssertion,
)
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
from spdx_tools.spdx.writer.json.json_writer import write_document_to_stream

from images.licences import spdx_licensing
from images.sbom.parts import File, Part, Subject

__all__ = ["spdx_bill"]

_DOCUMENT = "SPDXRef-DOCUMENT"
_SUBJECT = "SPDXRef-image"
_DEBIAN = Actor(ActorType.ORGANIZATION, "Debian")
_UNFIT = re.compile(r"[^A-Za-z0-9.-]+")


def spdx_bill(subject: Subject, texts: Mapping[str, str]) -> str:
    """The bill as JSON text.

    :param texts: of the licences that SPDX has no name of, by reference.
    """
    packages = [_image(subject), *map(_package, subject.parts), *map(_file, subject.files)]
    used = {key for part in subject.parts if part.licence for key in _references(part.licence)}
    document = Document(
        CreationInfo(
            "SPDX-2.3", _DOCUMENT, f"{subject.name}-{subject.version}",
            f"https://spdx.org/spdxdocs/{subject.name}-{subject.version}-{subject.identity}",
            [Actor(ActorType.TOOL, f"{subject.name}-{subject.version}")], subject.created,
        ),
        packages=packages,
        relationships=[
            Relationship(_DOCUMENT, RelationshipType.DESCRIBES, _SUBJECT),
            *(Relationship(_SUBJECT, RelationshipType.CONTAINS, it.spdx_id) for it in packages[1:]),
        ],
        extracted_licensing_info=[
            ExtractedLicensingInfo(key, texts.get(key) or "See the package's copyright file.",
                                   license_name=key.removeprefix("LicenseRef-"))
            for key in sorted(used)
        ],
    )  # fmt: skip
    messages = validate_full_spdx_document(document)
    assert not messages, f"our SPDX document is not valid: {messages[0].validation_message}"
    out = io.StringIO()
    write_document_to_stream(document, out, validate=False)
    return out.getvalue() + "\n"


def _image(subject: Subject) -> Package:
    return Package(
        _SUBJECT, subject.name, SpdxNoAssertion(), version=subject.version, files_analyzed=False,
        license_concluded=SpdxNoAssertion(), license_declared=SpdxNoAssertion(), copyright_text=SpdxNoAssertion(),
        primary_package_purpose=PackagePurpose.OPERATING_SYSTEM,
    )  # fmt: skip


def _package(part: Part) -> Package:
    sums = [Checksum(ChecksumAlgorithm.SHA256, part.sha256)] if part.sha256 else []
    source = f"built from the source package {' '.join(part.source)}" if part.source else None
    declared = spdx_licensing().parse(part.licence) if part.licence else SpdxNoAssertion()
    return Package(
        f"SPDXRef-{part.kind}-{_UNFIT.sub('-', part.name)}-{part.name.count('+')}", part.name, SpdxNoAssertion(),
        version=part.version, files_analyzed=False, checksums=sums, source_info=source,
        supplier=_DEBIAN if part.kind == "deb" else SpdxNoAssertion(),
        license_concluded=SpdxNoAssertion(), license_declared=declared, copyright_text=SpdxNoAssertion(),
        external_references=[ExternalPackageRef(ExternalPackageRefCategory.PACKAGE_MANAGER, "purl", str(part.purl))],
    )  # fmt: skip


def _file(file: File) -> Package:
    return Package(
        f"SPDXRef-file-{_UNFIT.sub('-', file.name)}", file.name, SpdxNoAssertion(), file_name=file.name,
        files_analyzed=False, checksums=[Checksum(ChecksumAlgorithm.SHA256, file.sha256)],
        license_concluded=SpdxNoAssertion(), license_declared=SpdxNoAssertion(), copyright_text=SpdxNoAssertion(),
        primary_package_purpose=PackagePurpose.FILE,
    )  # fmt: skip


def _references(expression: str) -> list[str]:
    symbols = spdx_licensing().license_keys(expression)
    return [key for key in symbols if key.startswith("LicenseRef-")]
