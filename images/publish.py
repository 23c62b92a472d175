"""The results in ``dist/``: links to what the store holds, with their sums and the manifest."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from images.config import BuildConfig, released_name
from images.graph import Results, Step
from images.manifest import describe
from images.netboot import netboot_texts
from images.upgrade import upgrade_name
from zeroth.errors import UserError
from zeroth.keys.keyring import sign_file
from zeroth.keys.signing import SIGNATURE_SUFFIX, Purpose, SecretKey
from zeroth.system.files import atomic_write, sha256_file
from zeroth.system.run import CommandFailed, run

__all__ = ["Published", "publish"]


@dataclass(frozen=True)
class Published:
    """What a build gave.

    :param iso: the ISO image.
    :param reservations: what its user should know before relying on it.
    """

    iso: Path
    reservations: tuple[str, ...] = ()


def publish(
    config: BuildConfig, results: Results, iso: Step, keys: Sequence[SecretKey] = (), notes: Sequence[str] = ()
) -> Published:
    """Put the results of a build into ``dist/``. What is there already stays as it is.

    :param keys: the manifest and the sums are signed with them; old signatures are removed in any case.
    :param notes: reservations besides those that are found here.
    """
    dist = config.dist
    name = f"{released_name(config.version)}.iso"
    manifest = json.loads((results["manifest"] / "manifest.json").read_text())
    medium = {path.name: path for step in ("root", "boot", "manifest") for path in results[step].iterdir()}
    netboot = medium | {path.name: path for path in results["netboot"].iterdir()}
    files = {name: results["iso"] / "zeroth.iso"} | {f"netboot/{key}": path for key, path in sorted(netboot.items())}
    more = [folder for name in ("bills", "upgrade") if (folder := results.get(name))]
    files |= {path.name: path for folder in more for path in sorted(folder.iterdir())}
    if "upgrade" not in results:
        # One that an earlier build left is of other packages, and in no sums.
        (dist / upgrade_name(config.version)).unlink(missing_ok=True)
    # A list, not a generator: every file has to be placed.
    kept = [_place(source, dist / target) for target, source in files.items()]
    for text_name, text in netboot_texts(config.version, medium, manifest).items():
        kept.append(_write(dist / "netboot" / text_name, text))
        files[f"netboot/{text_name}"] = dist / "netboot" / text_name
    link = dist / "zeroth.iso"
    if not link.is_symlink() or link.readlink() != Path(name):
        link.unlink(missing_ok=True)
        link.symlink_to(name)
    if not all(kept) or not (dist / "manifest.json").is_file() or not (dist / "SHA256SUMS").is_file():
        artefacts = {target: describe(dist / target) for target in files}
        origin = json.loads((results["base"] / "origin.json").read_text())
        full = {
            **manifest, "artefacts": artefacts, "inputs": _inputs(iso), "source": _source(config.root),
            "archives": origin["releases"], "packages_as_of": origin["as_of"],
        }  # fmt: skip
        atomic_write(dist / "manifest.json", json.dumps(full, indent=1, sort_keys=True) + "\n")
        sums = {target: item["sha256"] for target, item in artefacts.items()}
        sums["manifest.json"] = sha256_file(dist / "manifest.json")
        atomic_write(dist / "SHA256SUMS", "".join(f"{sums[target]}  {target}\n" for target in sorted(sums)))
    for signed in ("manifest.json", "SHA256SUMS"):
        (dist / f"{signed}{SIGNATURE_SUFFIX}").unlink(missing_ok=True)
        if keys:
            sign_file(dist / signed, keys, Purpose.IMAGE)
    insecure = () if manifest["security_updates"] else ("it was made without Debian's security updates",)
    return Published(dist / name, (*insecure, *notes))


def _write(path: Path, text: str) -> bool:
    """Make ``text`` the content of a file; returns whether it was already."""
    if path.is_file() and path.read_text() == text:
        return True
    atomic_write(path, text)
    return False


def _place(source: Path, target: Path) -> bool:
    """Make ``target`` the same file as ``source``; returns whether it was already."""
    with suppress(FileNotFoundError):
        if target.samefile(source):
            return True
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.new")
    draft.unlink(missing_ok=True)
    try:
        draft.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, draft)
    draft.replace(target)
    return False


def _inputs(step: Step) -> Mapping[str, object]:
    """Inputs of a step and of all that it needs."""
    found: dict[str, object] = {step.name: {"key": step.key, **step.inputs}}
    for needed in step.needs:
        found.update(_inputs(needed))
    return found


def _source(root: Path) -> dict[str, object]:
    """Which commit was built, and whether the checkout differed from it."""
    try:
        commit = run(["git", "rev-parse", "HEAD"], cwd=root).stdout.strip()
        changed = bool(run(["git", "status", "--porcelain"], cwd=root).stdout.strip())
    except (CommandFailed, UserError):
        return {}
    return {"commit": commit, "changed": changed}
