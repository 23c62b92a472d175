"""Where the answer is looked for, and what is said when it is not clear which one is meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from zeroth.errors import UserError
from zeroth.keys.signing import PublicKey, Purpose, SecretKey, sign
from zeroth.spec import AnswerText
from zeroth.spec.arguments import Wanted, asks_at_screen, network_try_wanted, plan_wanted, wanted_by
from zeroth.spec.embedded import Embedded, EmbeddedAnswer
from zeroth.spec.fetch.found import Found
from zeroth.spec.sources import Volume, find_answer
from zeroth.spec.volumes import LiveVolumes, volumes_in
from zeroth.system.run import Completed


class FakeVolumes:
    """Folders as file systems; remembers what is mounted."""

    def __init__(self, *volumes: Volume, appear_after: int = 0) -> None:
        self._volumes = volumes
        self._looks_left = appear_after
        self.mounted_now: list[str] = []
        self.looks = 0

    def labelled(self, label: str) -> Sequence[Volume]:
        self.looks += 1
        if self.looks <= self._looks_left:
            return []
        return [volume for volume in self._volumes if volume.label.lower() == label.lower()]

    @contextmanager
    def mounted(self, volume: Volume) -> Iterator[Path]:
        self.mounted_now.append(volume.device)
        try:
            yield Path(volume.device)
        finally:
            self.mounted_now.remove(volume.device)


def _volume(folder: Path, label: str = "ZEROTH-CFG", **files: str) -> Volume:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return Volume(str(folder), label, "vfat")


def _find(
    volumes: FakeVolumes,
    cmdline: str = "quiet",
    medium: Path = Path("/nonexistent"),
    embedded: Embedded = Embedded(),  # noqa: B008 - it is frozen
    keys: Sequence[PublicKey] = (),
) -> AnswerText | None:
    slept: list[float] = []
    return find_answer(
        volumes, cmdline=cmdline, medium=medium, embedded=embedded, keys=keys, fetch=_fetch, sleep=slept.append
    )


def _fetch(wanted: Wanted, signature: bool) -> Found:
    return Found(f"fetched {signature}".encode(), "x.ks", ", ".join(wanted.places))


def test_nothing_anywhere() -> None:
    assert _find(FakeVolumes()) is None


def test_the_labelled_volume(tmp_path: Path) -> None:
    volumes = FakeVolumes(_volume(tmp_path / "vdb", "zeroth-cfg", ANSWER_YAML="a: b", readme_txt="x"))
    found = _find(volumes)
    assert found == AnswerText("a: b", "ANSWER.YAML", f"volume zeroth-cfg ({tmp_path / 'vdb'})")
    assert not volumes.mounted_now


def test_the_order_is_argument_medium_volume(tmp_path: Path) -> None:
    volumes = FakeVolumes(
        _volume(tmp_path / "vdb", answer_ks="volume"), _volume(tmp_path / "vdc", "NET", h1_ks="named")
    )
    medium = tmp_path / "medium"
    (medium / "zeroth").mkdir(parents=True)
    (medium / "zeroth" / "answer.json").write_text("beside")
    (medium / "more.ks").write_text("more")
    embedded = Embedded(answer=EmbeddedAnswer(name="host1.ks", text="embedded"))

    def text(cmdline: str, medium: Path, embedded: Embedded = embedded) -> str | None:
        found = _find(volumes, cmdline, medium, embedded)
        return found.text if found else None

    assert text("", tmp_path / "none", Embedded()) == "volume"
    assert text("", medium, Embedded()) == "beside"
    assert text("", medium) == "embedded"
    assert text('ro "zeroth.answer=label:NET/h1.ks" quiet', medium) == "named"
    assert text("zeroth.answer=label:net/h1.ks", medium) == "named"
    assert text('zeroth.answer="medium:/more.ks"', medium) == "more"
    assert text("zeroth.answer=medium:/more.ks zeroth.answer=medium:/more.ks", medium) == "more"
    assert text("zeroth.answer=https://server.example.com/h.ks", medium) == "fetched False"
    assert text("zeroth.answer=https://a/h.ks zeroth.answer=tftp://b/h.ks", medium) == "fetched False"
    assert text("zeroth.answer=dhcp", medium) == text("zeroth.answer=dns", medium) == "fetched False"
    assert text("xzeroth.answer=nonsense zeroth.answers=nonsense", medium) == "embedded"


@pytest.mark.parametrize(
    ("cmdline", "message"),
    [
        ("zeroth.answer=", "is empty"),
        ("zeroth.answer=a zeroth.answer=b", "given 2 times"),
        ("zeroth.answer=/answer.ks", "not a place"),
        ("zeroth.answer=label:NET", "does not name a volume and a path"),
        ("zeroth.answer=label:/x", "does not name a volume and a path"),
        ("zeroth.answer=label:NET/x.ks", r"there is no x\.ks"),
        ("zeroth.answer=label:NET/folder", "is not a file"),
        ("zeroth.answer=label:NET/../outside", "is not a file there"),
        ("zeroth.answer=label:NET/link", "is not a file there"),
        ("zeroth.answer=label:NET/loop", "cannot read"),
        ("zeroth.answer=label:OTHER/x.ks", "no file system with the label OTHER appeared within 15 s"),
        ("zeroth.answer=medium:/", "does not name a file"),
        ("zeroth.answer=medium:/nothing.ks", r"there is no /nothing\.ks"),
        ("zeroth.answer=dhcp:x", "not a place"),
        ("zeroth.answer=ftp://server/x.ks", "not a place"),
        ("zeroth.answer=https://a/x.ks zeroth.answer=medium:/x.ks", "given 2 times"),
        ("zeroth.answer=https://a/x.ks zeroth.answer_pin=sha256//x", "not a pin"),
        ("zeroth.require_signed=perhaps", "neither yes nor no"),
    ],
)
def test_what_is_named_must_be_there(tmp_path: Path, cmdline: str, message: str) -> None:
    volume = _volume(tmp_path / "vdb", "NET")
    (tmp_path / "outside").write_text("secret")
    (tmp_path / "vdb" / "folder").mkdir()
    (tmp_path / "vdb" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "vdb" / "loop").symlink_to("loop")
    volumes = FakeVolumes(volume)
    with pytest.raises(UserError, match=message):
        _find(volumes, cmdline, tmp_path / "medium")
    assert not volumes.mounted_now


def test_a_named_volume_may_appear_late(tmp_path: Path) -> None:
    volumes = FakeVolumes(_volume(tmp_path / "vdb", "NET", h1_ks="late"), appear_after=4)
    found = _find(volumes, "zeroth.answer=label:NET/h1.ks")
    assert found
    assert (found.text, volumes.looks) == ("late", 5)


def test_an_unnamed_volume_may_appear_late_too(tmp_path: Path) -> None:
    volumes = FakeVolumes(_volume(tmp_path / "vdb", answer_ks="late"), appear_after=4)
    found = _find(volumes)
    assert found
    assert found.text == "late"
    assert _find(FakeVolumes(_volume(tmp_path / "vdc", answer_ks="too late"), appear_after=20)) is None


def test_more_than_one_is_named(tmp_path: Path) -> None:
    two_files = FakeVolumes(_volume(tmp_path / "a", answer_ks="1", Answer_yaml="2"))
    with pytest.raises(UserError, match=r"holds 2 answer files: Answer\.yaml, answer\.ks"):
        _find(two_files)
    two_volumes = FakeVolumes(_volume(tmp_path / "b", answer_ks="1"), _volume(tmp_path / "c", answer_ks="1"))
    with pytest.raises(UserError, match="2 file systems have the label ZEROTH-CFG: .*/b, .*/c"):
        _find(two_volumes)
    medium = tmp_path / "medium"
    _volume(medium / "zeroth", answer_ks="1", answer_json="2")
    with pytest.raises(UserError, match="the medium .* holds 2 answer files"):
        _find(FakeVolumes(), medium=medium)


def test_a_volume_without_an_answer_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no answer file"):
        _find(FakeVolumes(_volume(tmp_path / "a", answer_txt="x")))


def test_the_kernel_command_line() -> None:
    pin = "sha256//" + "A" * 43 + "="
    wanted = wanted_by(
        f'zeroth.answer=https://a/1.ks "zeroth.answer=nfs://b/x y.ks" zeroth.answer_pin={pin};{pin} '
        "zeroth.require_signed zeroth.require_signed=0 zeroth.ntp=192.0.2.1,ntp.example.com"
    )
    assert wanted.places == ("https://a/1.ks", "nfs://b/x y.ks")
    assert [str(it) for it in wanted.pins] == [pin, pin]
    assert wanted.signed, "once asked for, it is not taken back"
    assert wanted.time_servers == ("192.0.2.1", "ntp.example.com")
    assert not wanted_by("zeroth.require_signed=no").signed
    assert wanted_by("quiet") == Wanted()


_KEY = SecretKey.generate("site")
_TEXT = b"network --hostname=xen1\r\n"


def _signature(text: bytes = _TEXT, purpose: Purpose = Purpose.ANSWER, key: SecretKey = _KEY) -> str:
    return sign(text, [key], purpose, "host1.ks")


def _signed_volume(folder: Path, signature: str) -> FakeVolumes:
    volume = _volume(folder, answer_ks="")
    (folder / "answer.ks").write_bytes(_TEXT)
    if signature:
        (folder / "answer.ks.minisig").write_text(signature)
    return FakeVolumes(volume)


def test_a_signature_beside_the_answer_is_checked(tmp_path: Path) -> None:
    keys = [SecretKey.generate("other").public, _KEY.public]
    found = _find(_signed_volume(tmp_path / "a", _signature()), "zeroth.require_signed", keys=keys)
    assert found
    assert found.text == "network --hostname=xen1\n"
    assert found.origin.endswith(f"signed by {_KEY.public.name} (site), as host1.ks")
    # Where no key is trusted and none is asked for, nobody looks.
    assert _find(_signed_volume(tmp_path / "b", "nonsense"))


@pytest.mark.parametrize("argument", ["", "zeroth.require_signed"])
@pytest.mark.parametrize(
    ("signature", "message"),
    [
        (_signature(b"other text"), "does not match"),
        (_signature(purpose=Purpose.UPGRADE), "something else"),
        (_signature(key=SecretKey.generate("stranger")), "not trusted here"),
        ("nonsense", "not a signature"),
    ],
    ids=["changed", "purpose", "stranger", "nonsense"],
)
def test_a_bad_signature_refuses_the_answer(tmp_path: Path, signature: str, message: str, argument: str) -> None:
    with pytest.raises(UserError, match=message):
        _find(_signed_volume(tmp_path / "a", signature), argument, keys=[_KEY.public])


def test_an_unsigned_answer_where_one_must_be_signed(tmp_path: Path) -> None:
    plain = EmbeddedAnswer(name="host1.ks", text=_TEXT.decode())
    strict = Embedded(signers=(_KEY.public.text,), require_signed=True)
    with pytest.raises(UserError, match=r"not signed \(volume ZEROTH-CFG"):
        _find(_signed_volume(tmp_path / "a", ""), embedded=strict)
    with pytest.raises(UserError, match=r"not signed \(embedded"):
        _find(FakeVolumes(), "zeroth.require_signed", embedded=Embedded(answer=plain))
    with pytest.raises(UserError, match="not signed"):
        _find(FakeVolumes(), "zeroth.answer=https://a/x.ks", embedded=strict)
    with pytest.raises(UserError, match="not trusted here"):
        _find(_signed_volume(tmp_path / "b", _signature()), "zeroth.require_signed")
    signed = plain.model_copy(update={"signature": _signature()})
    assert _find(FakeVolumes(), embedded=strict.model_copy(update={"answer": signed}))
    assert _find(_signed_volume(tmp_path / "c", ""), keys=[_KEY.public]), "a key alone asks for no signature"


def test_a_signature_is_fetched_where_it_matters() -> None:
    found = _find(FakeVolumes(), "zeroth.answer=https://a/x.ks", keys=[_KEY.public])
    assert found
    assert found.text == "fetched True"


_LISTING = r"""
DEVNAME=/dev/sda
UUID=2026-11-22-10-00-00-00
LABEL=ZEROTH
TYPE=iso9660

DEVNAME=/dev/sda1
UUID=2026-11-22-10-00-00-00
LABEL=ZEROTH
TYPE=iso9660

DEVNAME=/dev/sdb1
LABEL=MY\ STICK
UUID=ABCD-1234
TYPE=vfat

DEVNAME=/dev/sdc
TYPE=swap

DEVNAME=/dev/sdd
LABEL=raw
"""


def test_what_blkid_prints() -> None:
    assert volumes_in(_LISTING) == [
        Volume("/dev/sda", "ZEROTH", "iso9660"),
        Volume("/dev/sdb1", "MY STICK", "vfat"),
        Volume("/dev/sdd", "raw", ""),
    ]
    assert volumes_in("") == []


def test_live_volumes_are_mounted_without_writing_and_always_unmounted(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []

    def run(argv: Sequence[str], **_: object) -> Completed:
        calls.append(list(argv))
        return Completed(tuple(argv), 0, _LISTING if argv[0] == "blkid" else "", "")

    monkeypatch.setattr("zeroth.spec.volumes.run", run)
    live = LiveVolumes()
    assert [volume.device for volume in live.labelled("my stick")] == ["/dev/sdb1"]
    calls.clear()
    with pytest.raises(RuntimeError), live.mounted(Volume("/dev/vdb", "X", "ext4")) as folder:
        raise RuntimeError
    assert calls[0] == ["mount", "-t", "ext4", "-o", "ro,nosuid,nodev,noexec,noload", "/dev/vdb", str(folder)]
    assert calls[1:] == [["umount", str(folder)]]
    assert not folder.exists()
    with pytest.raises(UserError, match="holds xfs"), live.mounted(Volume("/dev/vdb", "X", "xfs")):
        pass


@pytest.mark.parametrize(
    ("cmdline", "wanted"),
    [
        ("quiet", (False, ())),
        ("zeroth.plan", (True, ())),
        ("zeroth.plan=no", (False, ())),
        ("zeroth.plan=https://a/x zeroth.plan=http://b", (True, ("https://a/x", "http://b"))),
    ],
)
def test_whether_a_plan_is_all(cmdline: str, wanted: tuple[bool, tuple[str, ...]]) -> None:
    assert plan_wanted(cmdline) == wanted


def test_a_plan_cannot_be_sent_anywhere() -> None:
    with pytest.raises(UserError, match=r"zeroth\.plan=ftp://x is neither yes nor no"):
        plan_wanted("zeroth.plan=ftp://x")


def test_whether_the_network_is_tried() -> None:
    assert network_try_wanted("")
    assert network_try_wanted("quiet zeroth.network_try=yes")
    assert not network_try_wanted("quiet zeroth.network_try=NO zeroth.network_try=yes"), "who says no is heard"
    with pytest.raises(UserError, match="neither yes nor no"):
        network_try_wanted("zeroth.network_try=later")


@pytest.mark.parametrize(
    ("cmdline", "asks"),
    [
        ("quiet", False),
        ("quiet zeroth.ask", True),
        ("zeroth.ask=1", True),
        ("zeroth.ask=no", False),
        ("xzeroth.ask", False),
    ],
)
def test_who_is_asked(cmdline: str, asks: bool) -> None:
    assert asks_at_screen(cmdline) is asks
