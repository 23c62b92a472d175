"""A host made of files, and an upgrade file for it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from zeroth.deploy.bootenv import BootState, make_boot_state, read_boot_state
from zeroth.deploy.bootmenu import MENU
from zeroth.deploy.esp import Esp
from zeroth.deploy.layout import InstallId
from zeroth.deploy.slotstate import SlotState
from zeroth.deploy.upgrade import RunningHost, UpgradePlan, plan_upgrade
from zeroth.deploy.upgrade_apply import Upgrade
from zeroth.deploy.verity import RootTree
from zeroth.deploy.zup import UpgradeFile, write_upgrade
from zeroth.deploy.zup_header import Header, Kind, Payload
from zeroth.progress import Stream
from zeroth.spec.model import Dom0Spec
from zeroth.system.size import MIB

__all__ = ["CONTENT", "HEADER", "HOST", "SIGNED", "FileHost", "header"]

CONTENT = {
    "manifest.json": (Kind.MANIFEST, b'{"version": "1.2.0", "customisation": {"product": "Example Host"}}'),
    "root.squashfs": (Kind.ROOT, b"hsqs" + bytes(range(256)) * 64),
    "initrd.img": (Kind.BOOT, b"initrd" * 1000), "vmlinuz": (Kind.BOOT, b"linux" * 99), "xen.gz": (Kind.BOOT, b"xen"),
}  # fmt: skip
SIGNED = {**CONTENT, "host.efi": (Kind.BOOT, b"program" * 500), "host.efi.sig": (Kind.BOOT, b"signature")}
_OLD = {"xen.gz": b"old xen", "vmlinuz": b"old linux", "initrd.img": b"old initrd"}
HOST = RunningHost(
    slot="a", trial=False, boot=BootState(), version="1.1.0", architecture="amd64", root_hash="11" * 32, held="",
    identity=InstallId(UUID("11111111-2222-4333-8444-555555555555")), dom0=Dom0Spec(), esp=Path("esp"),
    target=Path("b"), room=1 << 20, state_free=1 << 30, state_used=1 << 20,
)  # fmt: skip


def header(version: str = "1.2.0", content: dict[str, tuple[Kind, bytes]] = CONTENT) -> Header:
    payloads = tuple(
        Payload(name=name, kind=kind, size=len(data), sha256=hashlib.sha256(data).hexdigest())
        for name, (kind, data) in content.items()
    )
    return Header(
        version=version, architecture="amd64", profile="dev", payloads=payloads,
        tree=RootTree(root_hash="22" * 32, hash_offset=8192),
    )  # fmt: skip


HEADER = header()
SIGNED_HEADER = header(content=SIGNED)


@dataclass
class FileHost:
    """Slot a runs; ESP, slot b and the state partition are files and a folder. Its upgrade is a signed one."""

    folder: Path
    verified: int = 0

    @classmethod
    def make(cls, folder: Path) -> FileHost:
        host = cls(folder)
        for device, size in ((folder / "esp", 34 * MIB), (folder / "b", MIB)):
            with device.open("wb") as file:
                file.truncate(size)
        host.esp.make("ZEROTH-ESP", "12345678")
        make_boot_state(host.esp, BootState())
        for name, data in _OLD.items():
            host.esp.put_bytes(data, f"/zeroth/a/{name}")
        host.esp.put_text("entry of a", "/zeroth/a/entry.cfg")
        host.esp.put_text("the menu", MENU)
        (host.state.folder("a") / "store").mkdir(parents=True)
        (host.state.folder("a") / "etc/upper").mkdir(parents=True)
        (host.state.folder("a") / "store/store.db").write_text("rows")
        (host.image_etc / "etc").mkdir(parents=True)
        (host.image_etc / "etc/motd").write_text("old\n")
        sources = folder / "payloads"
        sources.mkdir()
        for name, (_, data) in SIGNED.items():
            (sources / name).write_bytes(data)
        with (folder / "x.zup").open("wb") as out:
            write_upgrade(out, SIGNED_HEADER, {name: sources / name for name in SIGNED}, [])
        return host

    @property
    def esp(self) -> Esp:
        return Esp(self.folder / "esp")

    @property
    def slot(self) -> Path:
        return self.folder / "b"

    @property
    def state(self) -> SlotState:
        return SlotState(self.folder / "state")

    @property
    def image_etc(self) -> Path:
        return self.folder / "image"

    @property
    def boot(self) -> BootState:
        return read_boot_state(self.esp)

    def running(self) -> dict[str, str]:
        """Everything that the running slot boots by and works on, as it is now."""
        names = [*(f"/zeroth/a/{name}" for name in (*_OLD, "entry.cfg")), MENU]
        files = {name: self.esp.sha256(name) for name in names}
        state = self.state.folder("a")
        return files | {str(path): path.read_text() for path in state.rglob("*") if path.is_file()}

    def plan(self) -> UpgradePlan:
        host = RunningHost(**{**vars(HOST), "esp": self.esp.device, "target": self.slot, "boot": self.boot})
        plan = plan_upgrade(host, SIGNED_HEADER)
        assert plan is not None
        return plan

    def upgrade(self, data: bytes | None = None) -> None:
        raw = (self.folder / "x.zup").read_bytes() if data is None else data
        file = UpgradeFile.open(io.BytesIO(raw), None, name="x.zup")
        with Stream([]).step("upgrade") as step:
            Upgrade(self.plan(), file, self.state, self._image, self._verify).run(step)

    @contextmanager
    def _image(self) -> Iterator[Path]:
        yield self.image_etc

    def _verify(self, device: Path, tree: RootTree) -> None:
        assert device == self.slot
        assert tree == HEADER.tree
        assert device.read_bytes().startswith(CONTENT["root.squashfs"][1])
        self.verified += 1
