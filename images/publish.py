"""The results in ``dist/``: links to what the store holds, with their sums and the manifest."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from images.config import ARCHITECTURE, BuildConfig
from images.graph import Results, Step
from images.manifest import describe
from images.media import kernel_arguments
from images.render import render
from zeroth.errors import UserError
from zeroth.system.files import atomic_write
from zeroth.system.run import CommandFailed, run

__all__ = ["publish"]


def publish(config: BuildConfig, results: Results, iso: Step) -> Path:
    """Put the results of a build into ``dist/``; returns the ISO's path. Does nothing when they are there already."""
    dist = config.dist
    name = f"zeroth-{config.version}-{ARCHITECTURE}.iso"
    netboot = {path.name: path for step in ("root", "boot") for path in results[step].iterdir()}
    netboot.pop("root.squashfs.sha256")
    files = {name: results["iso"] / "zeroth.iso"} | {f"netboot/{key}": path for key, path in sorted(netboot.items())}
    fresh = [target for target, source in files.items() if not _place(source, dist / target)]
    script = render("boot.ipxe.j2", product="zeroth", version=config.version, arguments=kernel_arguments("install"))
    atomic_write(dist / "netboot" / "boot.ipxe", script)
    if not (dist / "zeroth.iso").is_symlink() or (dist / "zeroth.iso").readlink() != Path(name):
        (dist / "zeroth.iso").unlink(missing_ok=True)
        (dist / "zeroth.iso").symlink_to(name)
    manifest_path = dist / "manifest.json"
    if fresh or not manifest_path.is_file() or not (dist / "SHA256SUMS").is_file():
        manifest = json.loads((results["manifest"] / "manifest.json").read_text())
        manifest["artefacts"] = {target: describe(dist / target) for target in (*files, "netboot/boot.ipxe")}
        manifest["inputs"] = _inputs(iso)
        manifest["source"] = _source(config.root)
        atomic_write(manifest_path, json.dumps(manifest, indent=1, sort_keys=True) + "\n")
        sums = [f"{item['sha256']}  {target}" for target, item in sorted(manifest["artefacts"].items())]
        atomic_write(dist / "SHA256SUMS", "\n".join(sums) + "\n")
    return dist / name


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
