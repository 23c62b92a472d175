"""Mirrors out of apt's configuration, in both of its formats."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from images.sources import (
    AptSource,
    Mirrors,
    _wanted_options,
    host_sources,
    mirrors_from,
    parse_deb822,
    parse_one_line,
    sources_list,
)
from zeroth.errors import UserError

DEB822 = """\
# Debian
Types: deb deb-src
URIs: http://mirror.example/debian/
 http://second.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Enabled: no
Types: deb
URIs: http://disabled.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://vendor.example/apt
Suites: bookworm
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBGVendor
 -----END PGP PUBLIC KEY BLOCK-----
"""


def test_deb822_gives_the_enabled_binary_sources() -> None:
    sources = parse_deb822(DEB822)
    assert [source.uris for source in sources] == [
        ("http://mirror.example/debian/", "http://second.example/debian"),
        ("http://mirror.example/security",),
        ("http://vendor.example/apt",),
    ]


def test_mirrors_leave_out_third_parties_that_use_debians_code_names() -> None:
    assert mirrors_from(parse_deb822(DEB822)) == Mirrors(
        ("http://mirror.example/debian", "http://second.example/debian"), ("http://mirror.example/security",)
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("deb http://a.example/debian trixie main", [AptSource(("http://a.example/debian",), ("trixie",), ("main",))]),
        (
            "deb [arch=amd64 signed-by=/k.gpg] http://a.example/x stable/ ",
            [AptSource(("http://a.example/x",), ("stable/",), (), "/k.gpg")],
        ),
        (
            "  deb  [ trusted=yes ]  file:/srv/debian\tbookworm  main contrib # ours",
            [AptSource(("file:/srv/debian",), ("bookworm",), ("main", "contrib"))],
        ),
        ("deb-src http://a.example/debian trixie main", []),
        ("# deb http://a.example/debian trixie main", []),
        ("deb cdrom:[Debian GNU/Linux 13.1.0 _Trixie_ - Official amd64 NETINST]/ trixie main", []),
        ("deb http://a.example/debian", []),
        ("rpm http://a.example/debian trixie main", []),
        ("", []),
    ],
)
def test_one_line_style(line: str, expected: list[AptSource]) -> None:
    assert parse_one_line(line) == expected


@pytest.mark.parametrize(
    ("suite", "archive", "security"),
    [
        ("trixie", True, False),
        ("bookworm-updates", True, False),
        ("stable-backports", True, False),
        ("bullseye-security", False, True),
        ("buster/updates", False, True),
        ("bookworm-pgdg", False, False),
        ("cloud-sdk-bookworm", False, False),
        ("noble", False, False),
        ("./", False, False),
    ],
)
def test_suites_tell_what_an_address_serves(suite: str, archive: bool, security: bool) -> None:
    anchor = AptSource(("http://anchor.example/debian",), ("sid",), ("main",))
    mirrors = mirrors_from([anchor, AptSource(("http://x.example/y",), (suite,), ("main",))])
    assert ("http://x.example/y" in mirrors.archive) is archive
    assert ("http://x.example/y" in mirrors.security) is security


def test_a_source_with_debians_keyring_is_tried_first() -> None:
    unknown = AptSource(("http://unknown.example/apt",), ("bookworm",), ("main",))
    sure = AptSource(("http://sure.example/debian",), ("bookworm",), ("main",), "/etc/keys/debian-archive-key.gpg")
    assert mirrors_from([unknown, sure]).archive == ("http://sure.example/debian", "http://unknown.example/apt")


def test_security_is_guessed_when_the_machine_does_not_say() -> None:
    mirrors = mirrors_from([AptSource(("http://a.example/debian",), ("trixie",), ("main",))])
    assert mirrors == Mirrors(("http://a.example/debian",), ("http://a.example/debian-security",), required=False)


def test_a_named_mirror_replaces_the_archive() -> None:
    mirrors = mirrors_from(parse_deb822(DEB822), "https://own.example/debian/")
    assert mirrors.archive == ("https://own.example/debian",)
    assert mirrors.security == (
        "https://own.example/debian-security", "https://own.example/debian", "http://mirror.example/security"
    )  # fmt: skip
    assert not mirrors.required


@pytest.mark.parametrize("mirror", ["own.example/debian", "ssh://own.example/debian", "http://", "http://a b"])
def test_a_mirror_has_to_be_an_address(mirror: str) -> None:
    with pytest.raises(UserError, match="is not the address of a mirror"):
        mirrors_from([], mirror)


def test_no_debian_archive_is_an_error_with_a_way_out() -> None:
    with pytest.raises(UserError) as caught:
        mirrors_from([AptSource(("http://vendor.example",), ("noble",), ("main",))])
    assert "--mirror" in caught.value.hint


def test_host_sources_reads_what_apt_reads(tmp_path: Path) -> None:
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (tmp_path / "sources.list").write_text("deb http://one.example/debian trixie main\n")
    (parts / "debian.sources").write_text("Types: deb\nURIs: http://two.example\nSuites: trixie\nComponents: main\n")
    (parts / "old.list.disabled").write_text("deb http://three.example/debian trixie main\n")
    (parts / "z.list").write_bytes(b"# caf\xe9\ndeb http://four.example/debian trixie main\n")
    assert [source.uris[0] for source in host_sources(tmp_path)] == [
        "http://one.example/debian",
        "http://two.example",
        "http://four.example/debian",
    ]


def test_host_without_any_sources(tmp_path: Path) -> None:
    assert host_sources(tmp_path) == []


_word = st.text("abcdefghijklmnopqrstuvwxyz0123456789-.", min_size=1, max_size=12)
_uri = st.builds("http://{}.example/{}".format, _word, _word)
_sources = st.lists(
    st.builds(
        AptSource,
        uris=st.lists(_uri, min_size=1, max_size=1).map(tuple),
        suites=st.lists(_word, min_size=1, max_size=1).map(tuple),
        components=st.lists(_word, min_size=1, max_size=3).map(tuple),
        signed_by=st.sampled_from(["", "/usr/share/keyrings/a.gpg"]),
    ),
    max_size=5,
)


@given(_sources)
def test_both_formats_say_the_same(sources: list[AptSource]) -> None:
    one_line, deb822 = "", ""
    for source in sources:
        option = f"[signed-by={source.signed_by}] " if source.signed_by else ""
        one_line += f"deb {option}{source.uris[0]} {source.suites[0]} {' '.join(source.components)}\n"
        deb822 += f"Types: deb\nURIs: {source.uris[0]}\nSuites: {source.suites[0]}\n"
        deb822 += f"Components: {' '.join(source.components)}\n"
        deb822 += f"Signed-By: {source.signed_by}\n\n" if source.signed_by else "\n"
    assert parse_one_line(one_line) == sources
    assert parse_deb822(deb822) == sources


@given(st.text())
def test_any_text_is_read_without_a_traceback(text: str) -> None:
    for source in (*parse_one_line(text), *parse_deb822(text)):
        assert source.uris
        assert source.suites


def test_our_sources_are_all_signed_and_ours() -> None:
    lines = sources_list("http://a.example/debian", "http://a.example/security").splitlines()
    assert len(lines) == 3
    assert all("signed-by=/usr/share/keyrings/debian-archive-keyring.gpg" in line for line in lines)
    assert [line.split()[3] for line in lines] == ["trixie", "trixie-updates", "trixie-security"]
    assert "security" not in sources_list("http://a.example/debian")


def test_only_options_about_reaching_mirrors_are_taken() -> None:
    dump = """\
Acquire "";
Acquire::http::Proxy "http://proxy.example:3128";
Acquire::http::Proxy::local.example "DIRECT";
Acquire::Languages "none";
Acquire::AllowInsecureRepositories "true";
Acquire::Check-Valid-Until "false";
Acquire::https::Verify-Peer "";
"""
    assert list(_wanted_options(dump)) == [
        'Acquire::http::Proxy "http://proxy.example:3128"',
        'Acquire::http::Proxy::local.example "DIRECT"',
        'Acquire::Check-Valid-Until "false"',
    ]
