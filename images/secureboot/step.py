"""The step of a build that makes and signs programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from images.config import BuildConfig
from images.graph import Results, Step
from images.inputs import digest_code, digest_tree, files_below
from images.secureboot.make import SignedInputs, make_signed
from images.secureboot.sign import Signer
from images.tools import ToolsTree
from zeroth import progress
from zeroth.deploy.imagedefaults import ImageDefaults
from zeroth.keys.secureboot import ProgramKey

if TYPE_CHECKING:
    from images.customisation.prepared import Customisation

__all__ = ["from_signed", "signed_step"]


def signed_step(
    config: BuildConfig,
    key: ProgramKey,
    own: Customisation | None,
    needs: tuple[Step, ...],
    scratch: Callable[[str], Path],
) -> Step:
    """The programs that Secure Boot starts.

    :param own: what the user changes about the image.
    :param needs: the steps ``system``, ``root``, ``boot`` and ``tools``.
    :param scratch: gives an empty folder of that name.
    """
    image = ImageDefaults.of({"customisation": own.manifest()}) if own else ImageDefaults()
    words = own.spec.boot.medium if own else ()

    def make(out: Path, results: Results, _: progress.Step) -> None:
        parts = SignedInputs(
            results["system"] / "tree", results["root"], results["boot"], config.version, image, words
        )  # fmt: skip
        make_signed(out, parts, Signer(key, ToolsTree(results["tools"]), config.epoch), scratch("signed"))

    menus = (config.root / "zeroth" / "deploy" / "templates", config.root / "images" / "templates")
    inputs = {
        "certificate": key.fingerprint, "version": config.version, "source date": str(config.epoch),
        "images/secureboot": digest_tree(config.root, files_below(config.root / "images" / "secureboot")),
        "images/menu.py": digest_code(config.root / "images" / "menu.py"),
        "zeroth/deploy/signedboot.py": digest_code(config.root / "zeroth" / "deploy" / "signedboot.py"),
        "menus": digest_tree(config.root, [path for folder in menus for path in files_below(folder)]),
        "product and words": repr((image.model_dump(), words)),
    }  # fmt: skip
    return Step("signed", "Signed programs", inputs, make, needs, space=256 << 20)


def from_signed(results: Results, names: Sequence[str]) -> dict[str, Path]:
    """Signed programs by name; none where none are made."""
    return {name: results["signed"] / name for name in names} if "signed" in results else {}
