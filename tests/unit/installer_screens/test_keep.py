"""Keeping an answer or a bundle elsewhere: on a real file system, and on a real server."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from installer.screens.app import InstallerApp
from installer.screens.keep import Place, keep_on, places, send_to
from tests.unit.installer.loopdisk import loop_disk
from tests.unit.installer.machines import HASH, disk, machine, recorded
from tests.unit.installer_screens.person import at_screen, fresh
from zeroth.deploy.layout import Part
from zeroth.errors import UserError
from zeroth.system.block import partition_path
from zeroth.system.facts import PartitionFacts, Signature
from zeroth.system.run import run
from zeroth.system.size import GIB

FAT = Signature(type="vfat", offset=0, label="STICK")
WHOLE = {"hostname": "xen1", "root": {"password_hash": HASH}}


def test_places_are_what_is_free() -> None:
    part = PartitionFacts(number=1, path="/dev/sdb1", start=1 << 20, size=1 << 30, signatures=(FAT,))
    busy = part.model_copy(update={"path": "/dev/sdb2", "in_use": ("mounted",)})
    swap = part.model_copy(update={"path": "/dev/sdb3", "signatures": (Signature(type="swap", offset=0),)})
    target = disk("/dev/sda", signatures=(FAT,))
    facts = machine(
        target,
        disk("/dev/sdb", table="gpt", partitions=(part, busy, swap), vendor="Acme", model="Stick"),
        disk("/dev/sdc", signatures=(FAT,)),
        disk("/dev/sdd", signatures=(FAT,), medium=True),
        disk("/dev/sde", signatures=(FAT,), read_only=True),
        disk("/dev/sdf", signatures=(FAT,), in_use=("part of md0",)),
    )
    found = places(facts, [target])
    assert [place.device for place in found] == ["/dev/sdb1", "/dev/sdc"]
    assert found[0].name == "/dev/sdb1 'STICK', vfat, on Acme Stick"
    assert places(recorded("no-disk"), ()) == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_file_on_a_real_file_system(tmp_path: Path) -> None:
    with loop_disk(tmp_path, 16 * GIB) as loop:
        device = partition_path(loop.node, Part.LOG)
        run(["mkfs.ext4", "-q", "-F", device])
        place = Place(str(device), "ext4", "here")
        keep_on(place, "a.ks", b"first\n")
        keep_on(place, "a.ks", b"lang C.UTF-8\n")
        where = tmp_path / "mount"
        where.mkdir()
        run(["mount", device, where])
        try:
            assert (where / "a.ks").read_bytes() == b"lang C.UTF-8\n"
        finally:
            run(["umount", where])
        with pytest.raises(UserError):
            keep_on(Place(str(device), "vfat", "wrong kind"), "a.ks", b"")


@pytest.mark.parametrize("name", ["", "../a.ks", "a/b", ".hidden", "a\nb"])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(UserError, match="no name for a file"):
        keep_on(Place("/dev/null", "ext4", "nowhere"), name, b"")


@contextmanager
def _server(status: int) -> Iterator[tuple[str, dict[str, bytes]]]:
    got: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:  # noqa: N802 - as http.server has it
            got[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", got
    finally:
        server.shutdown()
        server.server_close()


def test_sending_to_a_server(tmp_path: Path) -> None:
    file = tmp_path / "bundle.tar.gz"
    file.write_bytes(b"packed" * 1000)
    with _server(201) as (url, got):
        send_to(f"{url}/in/", file.name, file)
        send_to(f"{url}/case-17", file.name, file)
    assert got == {"/in/bundle.tar.gz": file.read_bytes(), "/case-17": file.read_bytes()}
    with _server(403) as (url, _), pytest.raises(UserError, match="refused it: 403"):
        send_to(url, file.name, file)
    with pytest.raises(UserError, match="cannot be reached"):
        send_to(url, file.name, file)
    with pytest.raises(UserError, match="does not begin with"):
        send_to("ftp://server/", file.name, file)


async def test_the_page_tells_how_it_went(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[str, bytes] = {}

    def keep(place: Place, name: str, data: bytes) -> None:
        if place.device.endswith("c"):
            raise UserError("the stick is gone", "Plug it in again.")
        kept[name] = data

    monkeypatch.setattr("installer.screens.keeping.keep_on", keep)
    facts = machine(disk("/dev/sda"), *(disk(f"/dev/sd{it}", 1 << 30, signatures=(FAT,)) for it in "bc"))
    state = fresh({**WHOLE, "disk": {"select": "/dev/sda"}}, facts)
    async with at_screen(state) as person:
        app = person.pilot.app
        assert isinstance(app, InstallerApp)
        spec = state.draft.judge().spec
        assert spec
        app.show_save(spec)
        await person.pilot.pause()
        await person.press("ctrl+n")
        await app.workers.wait_for_complete()
        await person.pilot.pause()
        assert "Saved as xen1.ks on /dev/sdb" in person.screen
        while getattr(app.focused, "id", "") != "places":
            await person.press("tab")
        await person.press("down", "ctrl+n")
        await app.workers.wait_for_complete()
        await person.pilot.pause()
        assert "Not done: the stick is gone" in person.screen
        await person.press("escape")
        assert "Summary" in person.screen
    assert kept.keys() == {"xen1.ks"}
    assert HASH.encode() in kept["xen1.ks"]
