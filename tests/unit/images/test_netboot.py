"""The netboot tree, and the part of the boot script that fetches it: run for real, with curl, from a real server."""

from __future__ import annotations

import hashlib
import re
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from images.netboot import netboot_texts
from tests.unit.images.test_element_boot import INITRAMFS, read_arguments
from zeroth.deploy.verity import ROOT_TREE, RootTree, write_root_tree
from zeroth.system.run import run

LIB = INITRAMFS / "scripts/zeroth-lib"
CONTENT = bytes(range(256)) * 4096
TREE = RootTree(root_hash="a" * 64, hash_offset=8192)

needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")


# The scripts of the tree.


@pytest.fixture
def medium(tmp_path: Path) -> dict[str, Path]:
    files = {name: tmp_path / name for name in (ROOT_TREE, "manifest.json", "vmlinuz")}
    write_root_tree(files[ROOT_TREE], TREE)
    files["manifest.json"].write_text("{}")
    files["vmlinuz"].write_text("kernel")
    return files


def manifest_of(files: Mapping[str, Path], **more: object) -> dict[str, object]:
    digests = {name: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for name, path in files.items()}
    return {"files": digests, **more}


def test_the_command_line_vouches_for_everything(medium: dict[str, Path]) -> None:
    texts = netboot_texts("1.2.3", medium, manifest_of(medium))
    digest = hashlib.sha256(texts["SHA256SUMS"].encode()).hexdigest()
    lines = [line for line in texts["grub.cfg"].splitlines() if line.strip().startswith("linux ")]
    lines += [line for line in texts["boot.ipxe"].splitlines() if line.startswith("kernel ")]
    assert len(lines) == 6
    for line in lines:
        words = line.split()
        assert f"zeroth.roothash={TREE.root_hash}" in words
        assert f"zeroth.hash_offset={TREE.hash_offset}" in words
        assert f"zeroth.sums={digest}" in words
        assert "boot=zeroth" in words
        assert sum(word.startswith("zeroth.mode=") for word in words) == 1
    # Every address follows from where the script came from.
    assert not re.search(r"https?://\w", "".join(line for text in texts.values() for line in uncommented(text)))


def test_own_words_and_name_are_in_the_scripts(medium: dict[str, Path]) -> None:
    own = {"product": "Acme Host", "boot": {"medium": ["console=ttyS1"]}}
    texts = netboot_texts("1.2.3", medium, manifest_of(medium, customisation=own))
    for name in ("boot.ipxe", "grub.cfg"):
        assert "Acme Host 1.2.3" in texts[name]
        assert " console=ttyS1 " in texts[name]


def uncommented(text: str) -> list[str]:
    return [line for line in text.splitlines(keepends=True) if not line.lstrip().startswith("#")]


# Its arguments.


@pytest.mark.parametrize(
    ("words", "card"),
    [
        ("BOOTIF=01-52-54-00-AB-cd-ef", "52:54:00:ab:cd:ef"),
        ("BOOTIF=01-52:54:00:ab:cd:ef", "52:54:00:ab:cd:ef"),
        ("BOOTIF=52:54:00:ab:cd:ef", "52:54:00:ab:cd:ef"),
        ("BOOTIF=01-", ""),
        ("BOOTIF=eth0", ""),
    ],
)
def test_the_card_in_the_ways_boot_programs_write_it(tmp_path: Path, words: str, card: str) -> None:
    assert read_arguments(tmp_path, words)["card"] == card


@given(st.integers(1, 1 << 21))
def test_the_size_of_an_image_follows_from_where_its_data_end(blocks: int) -> None:
    levels, wanted = blocks, 1
    while levels > 1:
        levels = -(-levels // 128)
        wanted += levels
    size = int(shell("netboot", f"zeroth_image_size {blocks * 4096}").stdout)
    assert size == (blocks + wanted) * 4096


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("zeroth_netboot=tftp://192.0.2.1/", "is no address of a web server"),
        ("zeroth_netboot=http://", "is no address of a web server"),
        ("zeroth_roothash=", "has no hashes"),
        ("zeroth_hash_offset='$(reboot)'", "has no hashes"),
        ("zeroth_sums_digest=", "has no hashes"),
        ("PATH=/nowhere", "holds no HTTP client"),
        (":", "fine"),
    ],
)
def test_what_the_command_line_lacks_is_told(setting: str, said: str) -> None:
    good = "zeroth_netboot=http://192.0.2.1/x zeroth_roothash=ab zeroth_hash_offset=8192 zeroth_sums_digest=cd"
    path = shutil.which("curl") or "/bin/sh"
    fake = f"command() {{ [ $PATH != /nowhere ] && [ -x {path} ]; }}"
    out = shell("fetch", "", "netboot", f"{fake}; {good}; {setting}; zeroth_check_netboot_arguments; echo fine").stdout
    assert said in out
    assert ("fine" in out) == (said == "fine")


# Fetching.


@dataclass
class Served:
    """A web server in this process.

    :ivar files: by path.
    :ivar failures: what the next requests get instead: a status, or ``cut`` for a connection that ends too early.
    :ivar ranges: whether it can go on in the middle of a file.
    """

    files: dict[str, bytes] = field(default_factory=lambda: {"/x/file": CONTENT})
    failures: list[int | str] = field(default_factory=list)
    ranges: bool = True
    asked: list[str] = field(default_factory=list)
    moved: dict[str, str] = field(default_factory=dict)
    port: int = 0

    def handler(served) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler's
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # noqa: N802
                begins = self.headers.get("Range", "")
                served.asked.append(f"{self.path} {begins}".strip())
                failure = served.failures.pop(0) if served.failures else None
                data = served.files.get(self.path)
                if self.path in served.moved:
                    self.send_response(302)
                    self.send_header("Location", served.moved[self.path])
                    self.end_headers()
                elif isinstance(failure, int) or data is None:
                    self.send_error(failure if isinstance(failure, int) else 404)
                else:
                    start = int(begins.removeprefix("bytes=").rstrip("-")) if begins and served.ranges else 0
                    self.send_response(206 if start else 200)
                    if start:
                        self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
                    self.send_header("Content-Length", str(len(data) - start))
                    self.end_headers()
                    self.wfile.write(data[start : start + 300_000] if failure == "cut" else data[start:])

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@pytest.fixture
def served() -> Iterator[Served]:
    found = Served()
    with serving(found):
        yield found


class serving:  # noqa: N801 - used like a function
    def __init__(self, served: Served, context: ssl.SSLContext | None = None) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), served.handler())
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        served.port = self.server.server_address[1]

    def __enter__(self) -> None:
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


STUBS = """
zeroth_say() { echo "$*"; }
zeroth_progress() { echo "$*" >&2; }
zeroth_fail() { echo "$1 | $2"; exit; }
sleep() { :; }
"""


def shell(*words: str) -> subprocess.CompletedProcess[str]:
    """Run parts of the boot script, by name, and the commands behind each."""
    parts = [
        f"{(LIB / part).read_text()}\n{commands}\n" for part, commands in zip(words[::2], words[1::2], strict=True)
    ]
    return subprocess.run(["sh", "-u", "-c", STUBS + "".join(parts)], capture_output=True, text=True, check=False)


def fetch(
    served: Served, folder: Path, *, size: int | str = len(CONTENT), scheme: str = "http", more: str = ""
) -> str:
    target = folder / "got"
    source = (LIB / "fetch").read_text().replace("/run/zeroth", str(folder))
    script = (
        f"{STUBS}{source}\nzeroth_netboot={scheme}://me:secret@localhost:{served.port}/x/\n{more}\n"
        f"zeroth_fetch file {target} {size}\necho fetched\n"
    )
    done = subprocess.run(["sh", "-u", "-c", script], capture_output=True, text=True, check=True)
    assert "secret" not in done.stdout + done.stderr
    return done.stdout


@needs_curl
@pytest.mark.parametrize("size", [len(CONTENT), "''"])
def test_a_file_is_fetched(served: Served, tmp_path: Path, size: int | str) -> None:
    assert fetch(served, tmp_path, size=size) == "fetched\n"
    assert (tmp_path / "got").read_bytes() == CONTENT


@needs_curl
@pytest.mark.parametrize("ranges", [True, False])
def test_a_cut_connection_is_gone_on_with(served: Served, tmp_path: Path, ranges: bool) -> None:
    served.failures, served.ranges = ["cut"], ranges
    said = fetch(served, tmp_path)
    assert "file: the connection ended before the file did; trying again in 1 s (1 of 5)\n" in said
    assert said.endswith("fetched\n")
    assert (tmp_path / "got").read_bytes() == CONTENT
    assert served.asked[1] == "/x/file bytes=300000-"
    assert len(served.asked) == (2 if ranges else 3)


@needs_curl
def test_a_busy_server_is_asked_again(served: Served, tmp_path: Path) -> None:
    served.failures = [503, 429]
    said = fetch(served, tmp_path)
    assert "file: the server answered 503; trying again in 1 s (1 of 5)" in said
    assert "file: the server answered 429; trying again in 2 s (2 of 5)" in said
    assert (tmp_path / "got").read_bytes() == CONTENT


@needs_curl
def test_a_server_that_stays_away_is_given_up(served: Served, tmp_path: Path) -> None:
    served.failures = [500] * 20
    said = fetch(served, tmp_path).splitlines()
    assert said[-1].startswith(f"http://localhost:{served.port}/x/file cannot be fetched: the server answered 500 | ")
    assert len(said) == len(served.asked) == 6


@needs_curl
def test_a_missing_file_is_told_at_once(served: Served, tmp_path: Path) -> None:
    served.files.clear()
    said = fetch(served, tmp_path)
    assert (
        f"http://localhost:{served.port}/x/file cannot be fetched: the server answered 404 | Does the server" in said
    )
    assert len(served.asked) == 1


@needs_curl
def test_nobody_listens(served: Served, tmp_path: Path) -> None:
    served.port = 1
    said = fetch(served, tmp_path, more="zeroth_tries=2")
    assert "http://localhost:1/x/file cannot be fetched: Failed to connect to localhost port 1" in said


@needs_curl
def test_a_file_of_another_size_is_refused(served: Served, tmp_path: Path) -> None:
    short = fetch(served, tmp_path, size=len(CONTENT) + 4096)
    assert f"file on the server has {len(CONTENT)} bytes, and should have {len(CONTENT) + 4096}" in short
    long = fetch(served, tmp_path, size=len(CONTENT) - 4096)
    assert "cannot be fetched: Maximum file size exceeded | It is of another build" in long
    assert "fetched\n" not in short + long


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate that vouches for itself, and its key."""
    key, target = folder / f"{name}.key", folder / f"{name}.pem"
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", key, "-out", target])  # fmt: skip
    return target, key


@needs_curl
def test_https_is_verified(tmp_path: Path) -> None:
    ours, key = certificate(tmp_path, "localhost")
    other, _ = certificate(tmp_path, "other")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ours, key)
    served, plain = Served(), Served()
    with serving(served, context), serving(plain):
        refused = fetch(served, tmp_path, scheme="https", more=f"zeroth_tries=2; zeroth_authorities={other}")
        assert re.search(r"cannot be fetched: SSL.* \| The initrd trusts the usual authorities, and those in", refused)
        assert not served.asked
        assert fetch(served, tmp_path, scheme="https", more=f"zeroth_authorities={ours}") == "fetched\n"
        served.moved["/x/file"] = f"http://localhost:{plain.port}/x/file"
        led = fetch(served, tmp_path, scheme="https", more=f"zeroth_authorities={ours}")
        assert "cannot be fetched: " in led
        assert not plain.asked, "https led to http"
