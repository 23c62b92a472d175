"""Bills of materials of an image, in the two forms that tools read: SPDX and CycloneDX.

Both are made from the manifest alone, so they are the same whenever it is. The libraries that make and check them take
a second to import: import this package only where a bill is made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from images.sbom.cyclonedx import cyclonedx_bill
from images.sbom.parts import subject_of
from images.sbom.spdx import spdx_bill

__all__ = ["write_bills"]


def write_bills(out: Path, name: str, manifest: str, texts: Mapping[str, str]) -> None:
    """Write ``NAME.spdx.json`` and ``NAME.cdx.json`` into a folder.

    :param manifest: the text of the image's manifest.
    :param texts: of the licences that SPDX has no name of, by reference.
    """
    subject = subject_of(json.loads(manifest), manifest)
    (out / f"{name}.spdx.json").write_text(spdx_bill(subject, texts))
    (out / f"{name}.cdx.json").write_text(cyclonedx_bill(subject))
