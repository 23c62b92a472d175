"""Archives as a build meets them: dated, local, unsigned, outdated, damaged, gone. With apt itself, and local."""

from __future__ import annotations

import http.server
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from images.index import PackageIndex, Untrusted, cached_index, fetch_index
from images.origin import check_dates, mirrors_for
from images.packages import PackageList
from images.pool import PackagePool
from images.snapshot import Snapshot, parse_snapshot
from tests.unit.images.archive import SUITES, Deb, Signer, make_archive
from zeroth.errors import UserError

pytestmark = pytest.mark.thorough

DAY = timedelta(days=1)
JANUARY = datetime(2026, 1, 10, 9, tzinfo=UTC)
BASE = (Deb("dpkg", fields={"Essential": "yes", "Priority": "required"}), Deb("apt"))
DIRECT = ('Acquire::http::Proxy "DIRECT"',)


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signer]:
    signer = Signer(tmp_path_factory.mktemp("signer"))
    yield signer
    signer.end()


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The folder over HTTP on the loopback."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=os.fspath(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def fetch(work: Path, mirror: str, keyring: Path, snapshot: Snapshot | None = None) -> PackageIndex:
    mirrors = mirrors_for([], mirror, snapshot, offline=True)
    assert mirrors is not None
    index = fetch_index(mirrors, work / "index", DIRECT, keyring=keyring, dated=snapshot is not None)
    if snapshot:
        check_dates(index.lists, snapshot)
    return index


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory: pytest.TempPathFactory, signer: Signer) -> Path:
    """Three days of an archive, the first ones long outdated."""
    folder = tmp_path_factory.mktemp("snapshots") / "debian"
    for number in range(3):
        made = JANUARY + number * 10 * DAY
        packages = (*BASE, Deb("tool", str(number)))
        make_archive(folder / Snapshot(made + DAY).stamp, packages, signer, made=made, until=made + 9 * DAY)
    return folder


@pytest.mark.parametrize(("day", "version"), [("2026-01-12", "0"), ("2026-01-21T09:00", "1"), ("2026-02-01", "2")])
def test_a_date_picks_the_last_snapshot_before_it(
    tmp_path: Path, snapshots: Path, signer: Signer, day: str, version: str
) -> None:
    index = fetch(tmp_path, f"file:{snapshots}", signer.keyring, parse_snapshot(day))
    needed = {archive.file for archive in index.needed(["tool"])}
    assert needed == {*(package.file for package in BASE), f"tool_{version}_all.deb"}


def test_a_date_that_no_snapshot_is_of(tmp_path: Path, snapshots: Path, signer: Signer) -> None:
    # The last one was outdated by then: who asks for this day would get what had been replaced.
    with pytest.raises(UserError, match="no packages as of 2026-02-20.*\n.*trixie.*outdated since 2026-02-08"):
        fetch(tmp_path, f"file:{snapshots}", signer.keyring, parse_snapshot("2026-02-20"))


def test_a_date_over_http_is_asked_for_by_its_name(tmp_path: Path, snapshots: Path, signer: Signer) -> None:
    exact = parse_snapshot("20260121T090000Z")
    with served(snapshots.parent) as address:
        index = fetch(tmp_path, f"{address}/debian", signer.keyring, exact)
        assert "tool_1_all.deb" in index.archives
        with pytest.raises(UserError, match="cannot reach a mirror"):
            fetch(tmp_path / "other", f"{address}/debian", signer.keyring, parse_snapshot("2026-01-15"))


def test_a_date_before_the_first_snapshot(tmp_path: Path, snapshots: Path, signer: Signer) -> None:
    with pytest.raises(UserError, match="the first snapshot there is 20260111T090000Z"):
        fetch(tmp_path, f"file:{snapshots}", signer.keyring, parse_snapshot("2026-01-01"))


def test_a_frozen_repository_has_one_date(tmp_path: Path, signer: Signer) -> None:
    frozen = make_archive(tmp_path / "frozen", BASE, signer, made=JANUARY)
    index = fetch(tmp_path / "a", f"file:{frozen}", signer.keyring, Snapshot(JANUARY + DAY))
    assert index.secure
    with pytest.raises(UserError, match="trixie: made on 2026-01-10.*, after it"):
        fetch(tmp_path / "b", f"file:{frozen}", signer.keyring, Snapshot(JANUARY - DAY))


def test_security_is_found_beside_the_archive(tmp_path: Path, signer: Signer) -> None:
    make_archive(tmp_path / "debian", BASE, signer, made=JANUARY, suites=SUITES[:2])
    security = (Deb("tool", "1+deb13u1"),)
    make_archive(tmp_path / "debian-security", security, signer, made=JANUARY, suites=SUITES[2:])
    index = fetch(tmp_path / "work", f"file:{tmp_path}/debian", signer.keyring)
    assert index.secure
    assert "tool_1+deb13u1_all.deb" in index.archives


def test_an_archive_without_security_updates_is_said_to_be_so(tmp_path: Path, signer: Signer) -> None:
    make_archive(tmp_path / "debian", BASE, signer, made=JANUARY, suites=SUITES[:2])
    assert not fetch(tmp_path / "work", f"file:{tmp_path}/debian", signer.keyring).secure


def test_nobody_signed_it(tmp_path: Path, signer: Signer) -> None:
    archive = make_archive(tmp_path / "debian", BASE, None, made=JANUARY)
    with pytest.raises(Untrusted, match="not signed"):
        fetch(tmp_path, f"file:{archive}", signer.keyring)


def test_somebody_else_signed_it(tmp_path: Path, signer: Signer) -> None:
    archive = make_archive(tmp_path / "debian", BASE, signer, made=JANUARY)
    other = Signer(tmp_path / "other")
    other.end()
    with pytest.raises(Untrusted, match="not signed by whom it should be") as caught:
        fetch(tmp_path, f"file:{archive}", other.keyring)
    assert "--keyring" in caught.value.hint


def test_it_was_changed_after_it_was_signed(tmp_path: Path, signer: Signer) -> None:
    archive = make_archive(tmp_path / "debian", BASE, signer, made=JANUARY)
    release = archive / "dists" / SUITES[0] / "InRelease"
    release.write_text(release.read_text().replace("Origin: Test", "Origin: Fake"))
    with pytest.raises(Untrusted, match="not signed by whom it should be"):
        fetch(tmp_path, f"file:{archive}", signer.keyring)


def test_its_time_is_over(tmp_path: Path, signer: Signer) -> None:
    archive = make_archive(tmp_path / "debian", BASE, signer, made=JANUARY, until=JANUARY + DAY)
    with pytest.raises(Untrusted, match="outdated") as caught:
        fetch(tmp_path, f"file:{archive}", signer.keyring)
    assert "--snapshot" in caught.value.hint


def test_its_list_is_not_what_was_signed(tmp_path: Path, signer: Signer) -> None:
    archive = make_archive(tmp_path / "debian", BASE, signer, made=JANUARY)
    (archive / "dists" / SUITES[0] / "main" / "binary-amd64" / "Packages").write_text("Package: evil\n")
    with pytest.raises(UserError, match="damaged, or just being changed"):
        fetch(tmp_path, f"file:{archive}", signer.keyring)


def test_nobody_answers(tmp_path: Path, signer: Signer) -> None:
    with served(tmp_path) as address:
        pass
    with pytest.raises(UserError, match="cannot reach a mirror of Debian 13") as caught:
        fetch(tmp_path, address, signer.keyring)
    assert "--mirror" in caught.value.hint


def test_keys_that_are_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the archive keys are missing"):
        fetch(tmp_path, f"file:{tmp_path}", tmp_path / "none.gpg")


def test_a_package_that_does_not_exist_is_shown_with_its_neighbours(tmp_path: Path, signer: Signer) -> None:
    archive = make_archive(tmp_path / "debian", (*BASE, Deb("openvswitch-switch")), signer, made=JANUARY)
    index = fetch(tmp_path, f"file:{archive}", signer.keyring)
    with pytest.raises(UserError, match=r"base.list:7: openvswich-switch \(did you mean openvswitch-switch\?\)"):
        index.check(PackageList((("openvswich-switch", "base.list:7"),)))


def test_packages_that_exclude_each_other_are_found_before_they_are_installed(tmp_path: Path, signer: Signer) -> None:
    packages = (*BASE, Deb("a", fields={"Conflicts": "b"}), Deb("b"), Deb("c", fields={"Depends": "nothing-has-this"}))
    archive = make_archive(tmp_path / "debian", packages, signer, made=JANUARY)
    index = fetch(tmp_path, f"file:{archive}", signer.keyring)
    with pytest.raises(UserError, match="cannot be installed together") as caught:
        index.needed(["a", "b"])
    assert "Conflicts: b" in caught.value.message
    with pytest.raises(UserError, match="nothing-has-this"):
        index.needed(["c"])


def test_offline_takes_what_is_here(tmp_path: Path, signer: Signer) -> None:
    folder = tmp_path / "served"
    make_archive(folder, BASE, signer, made=JANUARY)
    with served(folder) as address:
        fetched = fetch(tmp_path, address, signer.keyring)
    # The server is gone.
    assert mirrors_for([], "", offline=True) is None
    index = cached_index(tmp_path / "index", DIRECT)
    assert (index.sources, index.secure, index.archives) == (fetched.sources, True, fetched.archives)
    pool = PackagePool(tmp_path / "pool")
    assert {archive.file for archive in pool.missing(index, index.needed([]))} == {it.file for it in BASE}
    pool.folder.mkdir()
    for package in BASE:
        (pool.folder / package.file).write_bytes((folder / "pool" / package.file).read_bytes())
    assert pool.missing(index, index.needed([])) == []
    (pool.folder / BASE[0].file).write_bytes(b"cut off")
    assert [archive.file for archive in pool.missing(index, index.needed([]))] == [BASE[0].file]


def test_offline_with_nothing_here(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no earlier build fetched a package index"):
        cached_index(tmp_path, DIRECT)


def test_offline_with_a_damaged_index(tmp_path: Path, signer: Signer) -> None:
    archive = make_archive(tmp_path / "debian", BASE, signer, made=JANUARY)
    with served(archive) as address:
        index = fetch(tmp_path, address, signer.keyring)
    path = next(index.lists.glob("*_trixie_main_*_Packages"))
    path.write_text(path.read_text()[:-10])
    with pytest.raises(UserError, match="damaged:\n.*trixie_InRelease: main/binary-amd64/Packages is not"):
        cached_index(tmp_path / "index", DIRECT)


def test_offline_asks_no_other_machine() -> None:
    with pytest.raises(UserError, match="is not on this machine"):
        mirrors_for([], "http://mirror.example/debian", offline=True)
    with pytest.raises(UserError, match="and none is named") as caught:
        mirrors_for([], "", Snapshot(JANUARY))
    assert "--mirror" in caught.value.hint


@pytest.mark.parametrize(
    "text", ["yesterday", "2026-13-01", "20260131T25", "", "9999-12-31", "0001-01-01T00:00+23:59"]
)
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(UserError):
        parse_snapshot(text)


def test_all_ways_to_write_a_moment() -> None:
    texts = ("2026-01-31", "20260131T000000Z", "2026-01-31T01:00:00+01:00", "2026-01-31T00:00:00.5+00:00")
    assert {parse_snapshot(text).stamp for text in texts} == {"20260131T000000Z"}
