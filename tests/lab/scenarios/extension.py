"""Something added to a running host's image, and taken away again."""

from __future__ import annotations

import json
from pathlib import Path

from tests.lab.checks import check_units
from tests.lab.golden import resume
from tests.lab.host import Host
from tests.lab.paths import ISO
from tests.lab.scenario import scenario
from tests.lab.stage import Stage, expect
from zeroth.cli import cli, run_command
from zeroth.keys.keyring import make_key

_PACKAGE = "tree"


@scenario(minutes=5, after=("iso-bios",))
def extension(stage: Stage) -> None:
    """A signed extension is installed, works, outlives a start and is removed; a foreign or changed one is refused."""
    host = resume(stage)
    try_extension(stage, host)
    host.kill()


def try_extension(stage: Stage, host: Host) -> None:
    """All of it, on an installed host that runs the medium's image."""
    with stage.step("build"):
        key = make_key(stage.folder, "site", None)
        made = _build(stage.folder, key.secret_path)
        changed = stage.folder / "changed.zext"
        raw = bytearray(made.read_bytes())
        raw[len(raw) // 2] ^= 1
        changed.write_bytes(raw)
    host.put(made, "/root/made.zext")
    host.put(changed, "/root/changed.zext")
    with stage.step("refuse"):
        _refused(host, "made.zext", "signed with a key that is not trusted here")
        host.ssh("mkdir -p /etc/zeroth/keys")
        host.put(key.public_path, "/etc/zeroth/keys/site.pub")
        _refused(host, "changed.zext", "is damaged: its image is not the one that was signed")
        expect(json.loads(host.ssh("zeroth extension list --json")) == [], "a refused extension was kept")
        host.ssh(f"! command -v {_PACKAGE}")
    with stage.step("install"):
        stage.log(host.ssh("zeroth extension install /root/made.zext", seconds=300).strip())
        expect(_PACKAGE in host.ssh(f"{_PACKAGE} --version"), "the command does not run")
        host.ssh("command -v xl")
        (listed,) = json.loads(host.ssh("zeroth extension list --json"))
        expect(listed["active"] and _PACKAGE in listed["packages"], f"zeroth extension list says {listed}")
        kind = host.ssh(f"dmsetup table | grep '^zeroth-extension-{_PACKAGE}-'").split()
        expect("verity" in kind, f"its image is not verified while it is read: {kind}")
    with stage.step("a start of the host"):
        # What is in memory alone is gone after a restart.
        host.ssh(f"systemd-sysext unmerge; umount /run/extensions/{_PACKAGE}; ! command -v {_PACKAGE}")
        host.ssh("systemctl restart zeroth-extensions.service", seconds=300)
        host.ssh(f"{_PACKAGE} --version")
        check_units(host)
    with stage.step("remove"):
        host.ssh(f"zeroth extension remove {_PACKAGE}", seconds=300)
        host.ssh(f"! command -v {_PACKAGE}")
        expect(json.loads(host.ssh("zeroth extension list --json")) == [], "it is still listed")
        expect("zeroth-extension" not in host.ssh("dmsetup ls"), "its device is still there")


def _build(folder: Path, key: Path) -> Path:
    """An extension for the image of the medium."""
    profile = json.loads((ISO.parent / "manifest.json").read_text())["profile"]
    words = ["image", "extension", _PACKAGE, "--package", _PACKAGE, "--profile", profile, "--no-customise",
             "--into", str(folder), "--sign-key", str(key)]  # fmt: skip
    code = run_command(cli, "zeroth", words)
    expect(code == 0, f"zeroth {' '.join(words)} ended with {code}")
    (made,) = folder.glob(f"{_PACKAGE}-*.zext")
    return made


def _refused(host: Host, name: str, reason: str) -> None:
    said = host.ssh_full(f"zeroth extension install /root/{name}", seconds=300, ok=(1,))
    expect(reason in said.stderr, f"{name} should be refused ({reason}), and it said: {said.stderr}")
