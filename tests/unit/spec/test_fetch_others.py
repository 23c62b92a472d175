"""Answers by TFTP and NFS, where DHCP and DNS say that they are, and several addresses in turn."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset
import pytest
import tftpy
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.spec.webserver import ANSWER, web_server
from zeroth.errors import UserError
from zeroth.spec.fetch.found import Found, Unreachable, failed, unreachable
from zeroth.spec.fetch.identity import identity_headers
from zeroth.spec.fetch.lookup import by_dhcp, by_dns, options_in
from zeroth.spec.fetch.nfs import fetch_nfs, mounted_export
from zeroth.spec.fetch.pins import Pin
from zeroth.spec.fetch.tftp import fetch_tftp
from zeroth.spec.fetch.turns import Request, fetch_first
from zeroth.system.facts import DiskFacts, DmiFacts, Facts, NicFacts
from zeroth.system.run import CommandFailed, Completed

PIN = str(Pin(bytes(32)))


@pytest.fixture(scope="module")
def tftp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a TFTP server with answers."""
    root = tmp_path_factory.mktemp("tftp")
    (root / "hosts").mkdir()
    (root / "hosts" / "host 1.ks").write_bytes(ANSWER)
    (root / "hosts" / "signed.ks").write_bytes(ANSWER)
    (root / "hosts" / "signed.ks.minisig").write_text("a signature\n")
    (root / "large.ks").write_bytes(b"# x\n" * 300_000)
    server = tftpy.TftpServer(os.fspath(root))
    thread = threading.Thread(target=server.listen, args=("127.0.0.1", 0))
    thread.start()
    server.is_running.wait(20)
    yield f"tftp://127.0.0.1:{server.listenport}"
    server.stop(now=True)
    thread.join(20)


def test_an_answer_by_tftp(tftp: str) -> None:
    found = fetch_tftp(f"{tftp}/hosts/host%201.ks", signature=True)
    assert found == Found(ANSWER, "host 1.ks", f"{tftp}/hosts/host%201.ks", "")
    assert fetch_tftp(f"{tftp}/hosts/signed.ks", signature=True).signature == "a signature\n"
    assert fetch_tftp(f"{tftp}/hosts/signed.ks").signature == ""


def test_what_tftp_has_not(tftp: str) -> None:
    with pytest.raises(UserError, match="the server says: ") as caught:
        fetch_tftp(f"{tftp}/nothing.ks")
    assert not isinstance(caught.value, Unreachable)


def test_tftp_fetches_no_more_than_an_answer_may_have(tftp: str) -> None:
    assert len(fetch_tftp(f"{tftp}/large.ks").data) == (1 << 20) + 1


@pytest.mark.parametrize("url", ["tftp://", "tftp:///x.ks", "tftp://server", "tftp://server/", "tftp://[::1/x",
                                 "tftp://-l/x", "tftp://a:x/y", "tftp://a/x%0ay"])  # fmt: skip
def test_no_address_of_tftp(url: str) -> None:
    with pytest.raises(UserError, match="malformed"):
        fetch_tftp(url)


@contextmanager
def _udp(reply: Callable[[bytes], list[bytes]]) -> Iterator[int]:
    """A server on a free UDP port of loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(0.1)
        going = True

        def serve() -> None:
            while going:
                try:
                    data, peer = sock.recvfrom(4096)
                except TimeoutError:
                    continue
                for answer in reply(data):
                    sock.sendto(answer, peer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield sock.getsockname()[1]
        finally:
            going = False
            thread.join()


def test_a_tftp_server_that_stops_in_the_middle() -> None:
    def first_block(data: bytes) -> list[bytes]:
        # RFC 1350: a full block is not the last one.
        return [b"\0\3\0\1" + b"#" * 512] if data[1] == 1 else []

    with _udp(first_block) as port, pytest.raises(Unreachable, match="cannot fetch tftp://"):
        fetch_tftp(f"tftp://127.0.0.1:{port}/x.ks", longest=2)


@contextmanager
def _export(folder: Path) -> Iterator[Path]:
    yield folder


def test_an_answer_by_nfs(tmp_path: Path) -> None:
    (tmp_path / "host1.ks").write_bytes(ANSWER)
    (tmp_path / "host1.ks.minisig").write_text("a signature\n")
    (tmp_path / "link.ks").symlink_to("/etc/passwd")
    asked: list[str] = []

    def mounted(export: str) -> object:
        asked.append(export)
        return _export(tmp_path)

    url = "nfs://[2001:db8::1]/srv/an%20swers/host1.ks"
    found = fetch_nfs(url, mounted=mounted, signature=True)  # type: ignore[arg-type]  # a context manager
    assert found == Found(ANSWER, "host1.ks", url, "a signature\n")
    assert asked == ["[2001:db8::1]:/srv/an swers"]
    for name in ("nothing.ks", "link.ks"):
        with pytest.raises(UserError, match=f"there is no {name} in /srv"):
            fetch_nfs(f"nfs://server/srv/{name}", mounted=mounted)  # type: ignore[arg-type]


def test_an_export_that_cannot_be_mounted() -> None:
    def refused(export: str) -> object:
        raise CommandFailed(Completed(("mount", export), 32, "", "mount.nfs: access denied by server"))

    with pytest.raises(Unreachable, match="access denied by server"):
        fetch_nfs("nfs://server/srv/x.ks", mounted=refused)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "tries"),
    [("mount.nfs: Protocol not supported", ["4.1", "4.0", "3"]), ("mount.nfs: access denied by server", ["4.1"])],
)
def test_an_older_version_is_tried_where_the_server_has_no_newer_one(
    monkeypatch: pytest.MonkeyPatch, said: str, tries: list[str]
) -> None:
    asked: list[str] = []

    def fake(argv: list[str], **_: object) -> Completed:
        asked.append(argv[4].rpartition("vers=")[2])
        raise CommandFailed(Completed(tuple(argv), 32, "", said))

    monkeypatch.setattr("zeroth.spec.fetch.nfs.run", fake)
    with pytest.raises(CommandFailed), mounted_export("server:/srv"):
        pass
    assert asked == tries


def test_an_export_is_mounted_read_only_and_unmounted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[tuple[str, ...]] = []

    def run(argv: list[str], **_: object) -> Completed:
        calls.append(tuple(argv))
        if argv[0] == "mount":
            (Path(argv[-1]) / "x.ks").write_bytes(ANSWER)
        else:
            (Path(argv[-1]) / "x.ks").unlink()
        return Completed(tuple(argv), 0, "", "")

    monkeypatch.setattr("zeroth.spec.fetch.nfs.run", run)
    assert fetch_nfs("nfs://192.0.2.1/srv/x.ks").data == ANSWER
    (mount, umount) = calls
    assert mount[:3] == ("mount", "-t", "nfs")
    assert mount[5] == "192.0.2.1:/srv"
    assert {"ro", "nosuid", "nodev", "noexec", "soft"} <= set(mount[4].split(","))
    assert umount == ("umount", "-l", mount[6])


@pytest.mark.parametrize("url", ["nfs://", "nfs://server", "nfs://server/", "nfs://server/a/../b.ks", "nfs://-o/b.ks",
                                 "nfs://[::1/x"])  # fmt: skip
def test_no_address_of_nfs(url: str) -> None:
    with pytest.raises(UserError, match="malformed"):
        fetch_nfs(url)


_LISTING = """{"Interfaces": [
 {"Name": "lo"},
 {"Name": "eth0", "NTP": [{"Address": [192, 0, 2, 1]}],
  "DHCPv4Client": {"Lease": {}, "PrivateOptions": [
   {"Option": 250, "PrivateOptionData": "%s"}, {"Option": 251, "PrivateOptionData": "%s"}]}}]}"""


def test_where_dhcp_says_that_the_answer_is() -> None:
    listing = _LISTING % (b"https://a/1.ks\0".hex(), PIN.encode().hex())
    place = by_dhcp(options_in(listing))
    assert (place.addresses, list(map(str, place.pins))) == (("https://a/1.ks",), [PIN])
    with pytest.raises(UserError, match="DHCP gave no address of an answer"):
        by_dhcp(options_in('{"Interfaces": [{"Name": "lo"}]}'))
    for wrong in (b"ftp://a", b"label:X/y", b"\xff\xff"):
        with pytest.raises(UserError, match="option 250 holds .* no address of an answer"):
            by_dhcp(options_in(_LISTING % (wrong.hex(), PIN.encode().hex())))


_ZONE = {
    ("_zeroth-answer.example.com.", "TXT"): [f'"{PIN}"', '"https://b/2.ks"', '"https://a/" "1.ks"'],
    ("_zeroth-answer._tcp.example.org.", "SRV"): ["20 0 443 late.example.org.", "10 1 443 light.example.org.",
                                                  "10 9 8443 heavy.example.org."],
    ("_zeroth-answer.wrong.example.", "TXT"): ['"v=spf1 -all"'],
}  # fmt: skip


@pytest.fixture(scope="module")
def resolver() -> Iterator[dns.resolver.Resolver]:
    """A resolver that asks a name server on loopback."""

    def reply(data: bytes) -> list[bytes]:
        query = dns.message.from_wire(data)
        answer = dns.message.make_response(query)
        question = query.question[0]
        kind = dns.rdatatype.to_text(question.rdtype)
        if records := _ZONE.get((str(question.name), kind)):
            answer.answer = [dns.rrset.from_text(question.name, 60, "IN", kind, *records)]
        elif "broken" in str(question.name):
            answer.set_rcode(dns.rcode.SERVFAIL)
        else:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return [answer.to_wire()]

    with _udp(reply) as port:
        found = dns.resolver.Resolver(configure=False)
        found.nameservers, found.port = ["127.0.0.1"], port
        yield found


def test_where_dns_says_that_the_answer_is(resolver: dns.resolver.Resolver) -> None:
    place = by_dns(["nothing.example", "example.com"], resolver)
    assert place.addresses == ("https://a/1.ks", "https://b/2.ks")
    assert list(map(str, place.pins)) == [PIN]
    place = by_dns(["example.org"], resolver)
    assert place.addresses == (
        "https://heavy.example.org:8443/answer",
        "https://light.example.org:443/answer",
        "https://late.example.org:443/answer",
    )
    resolver.search = [dns.name.from_text("example.org")]
    assert by_dns(resolver=resolver).addresses == place.addresses


@pytest.mark.parametrize(
    ("domains", "message"),
    [
        (["nothing.example"], "DNS has no _zeroth-answer below nothing.example"),
        ([], "belongs to no DNS domain"),
        (["wrong.example"], "holds 'v=spf1 -all', which is no address"),
        (["broken.example"], "DNS cannot be asked for _zeroth-answer.broken.example"),
    ],
)
def test_where_dns_says_nothing(resolver: dns.resolver.Resolver, domains: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        by_dns(domains, resolver)


def test_the_first_server_that_answers_is_taken() -> None:
    said: list[str] = []
    with web_server() as one, web_server() as two:
        places = ["http://127.0.0.1:9/a.ks", one.url("/missing/a.ks"), one.url("/ok/b.ks"), two.url("/ok/c.ks")]
        found = fetch_first(Request(places), say=said.append)
    assert found.name == "b.ks"
    assert not two.asked
    assert ["cannot fetch" in text for text in said] == [True, True]


def test_busy_servers_are_asked_again_and_others_are_not() -> None:
    slept: list[float] = []
    with web_server() as server:
        places = [server.url("/missing/a.ks"), server.url("/busy/b.ks")]
        assert fetch_first(Request(places), sleep=slept.append).name == "b.ks"
        assert [path for path, _ in server.asked] == ["/missing/a.ks", *["/busy/b.ks"] * 3]
    assert slept == sorted(slept)
    assert len(slept) == 2


def test_when_nobody_answers_every_reason_is_told() -> None:
    with pytest.raises(UserError, match="the server answered 404") as caught, web_server() as server:
        fetch_first(Request([server.url("/missing/a.ks")]))
    assert not isinstance(caught.value, Unreachable)
    with pytest.raises(UserError) as caught:
        fetch_first(
            Request(["https://me:hunter2@a/x.ks", "tftp://b/x.ks"]), patience=0,
            fetch=lambda place, _: _raise(failed("a", "no") if "//b" in place else unreachable("b", "late")),
        )  # fmt: skip
    assert str(caught.value).startswith("none of https://a/x.ks, tftp://b/x.ks gave an answer:\n  cannot fetch")
    assert "hunter2" not in str(caught.value)


def _raise(error: UserError) -> Found:
    raise error


def test_each_kind_of_address_goes_its_way(tftp: str) -> None:
    assert fetch_first(Request([f"{tftp}/hosts/host%201.ks"])).data == ANSWER
    with web_server() as server:
        headers = {"Zeroth-UUID": "1-2-3"}
        assert fetch_first(Request([server.url("/signed/a.ks")], headers=headers, signature=True)).signature
        assert server.asked[0][1]["Zeroth-UUID"] == "1-2-3"


def test_what_a_machine_says_of_itself() -> None:
    facts = Facts(
        dmi=DmiFacts(uuid="1-2-3", vendor="Example", product="Server 1", serial="S\r\nX: 1"),
        nics=(NicFacts(name="eth0", mac="52:54:00:00:00:01"), NicFacts(name="eth1", mac="52:54:00:00:00:02")),
        disks=(DiskFacts(path="/dev/sda", size=10, serial="A, B", model="Größe"), DiskFacts(path="/dev/sdb", size=20)),
    )
    headers = identity_headers(facts)
    assert headers["Zeroth-MAC"] == "eth0=52:54:00:00:00:01, eth1=52:54:00:00:00:02"
    assert headers["Zeroth-UUID"] == "1-2-3"
    assert headers["Zeroth-Product"] == "Example Server 1"
    assert headers["Zeroth-Serial"] == headers["X-System-Serial-Number"] == "S??X: 1"
    assert headers["Zeroth-Disks"] == "/dev/sda;size=10;serial=A  B;model=Gr??e, /dev/sdb;size=20"
    assert headers["X-RHN-Provisioning-MAC-1"] == "eth1 52:54:00:00:00:02"
    assert "Zeroth-Serial" not in identity_headers(Facts())


@given(st.text(max_size=300), st.text(max_size=300))
def test_headers_can_be_sent_whatever_firmware_says(serial: str, model: str) -> None:
    facts = Facts(dmi=DmiFacts(serial=serial), disks=(DiskFacts(path="/dev/sda", size=1, model=model),) * 40)
    for value in identity_headers(facts).values():
        assert value.isascii()
        assert value.isprintable()
        assert len(value) <= 8000
