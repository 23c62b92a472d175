"""What a lab machine with Secure Boot needs: keys, a medium that they signed, and firmware that has them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

import yaml

from images.config import BuildConfig, checkout
from images.secureboot.sign import Signer
from tests.lab.answers import EAGER_FPU
from tests.lab.paths import CACHE, ISO, ROOT
from tests.lab.tools import tools
from zeroth.keys.efi_lists import Variable
from zeroth.keys.secureboot import ProgramKey, make_secure_boot_keys, program_key
from zeroth.system.run import run

__all__ = ["enrolled", "key", "signed_medium", "signer"]

_OWNER = str(uuid5(NAMESPACE_OID, "zeroth lab"))


def key(owner: str = "Lab") -> ProgramKey:
    """A key of the lab's; made once, so that what it signed can be used again."""
    return program_key(_folder(owner), _no_passphrase)


def signer(owner: str = "Lab") -> Signer:
    """Signs with it."""
    return Signer(key(owner), tools().tree, BuildConfig(checkout()).epoch)


def signed_medium(log: Callable[[str], None]) -> Path:
    """A medium like the lab's own, signed; built from what that left in the builder's store.

    :param log: gets what the builder says.
    """
    into = CACHE / "secure-boot" / "dist"
    profile = json.loads((ISO.parent / "manifest.json").read_text())["profile"]
    # Arguments of an answer have no effect on a signed program.
    customise = CACHE / "secure-boot" / "zeroth-image.yaml"
    customise.parent.mkdir(parents=True, exist_ok=True)
    customise.write_text(yaml.safe_dump({"boot": {"xen": [EAGER_FPU]}}))
    options = ["--profile", profile, "--no-upgrade", "--secure-boot", _folder("Lab"), "--customise", customise]
    run([sys.executable, "-m", "zeroth", "image", "build", *options, "--into", into], cwd=ROOT, on_line=log)
    return (into / ISO.name).resolve()


def enrolled(target: Path) -> Path:
    """OVMF's variables with the lab's keys in them and Secure Boot turned on, as qcow2."""
    raw, folder = target.with_suffix(".fd"), _folder("Lab")
    words: list[str | Path] = []
    for option, variable in (("--set-pk", Variable.PK), ("--add-kek", Variable.KEK), ("--add-db", Variable.DB)):
        words += [option, _OWNER, folder / f"{variable}.crt"]
    run(
        [Path(sys.executable).with_name("virt-fw-vars"), "--input", tools().variables, "--output", raw, *words, "--sb"]
    )
    tools().run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, target)
    raw.unlink()
    return target


def _folder(owner: str) -> Path:
    folder = CACHE / "secure-boot" / owner
    if not (folder / "db.key").exists():
        make_secure_boot_keys(folder, owner, None, datetime.now(UTC))
    return folder


def _no_passphrase(_: Path) -> Callable[[], bytes]:
    raise AssertionError("the lab's keys have no passphrase")
