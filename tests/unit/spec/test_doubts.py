"""What an answer says and hardly means is warned of, where it stands."""

from __future__ import annotations

import pytest

from zeroth.spec import AnswerText, read_answer
from zeroth.spec.problems import Severity, Span

_KS = """\
network --hostname=xen1.example.com
sshkey --username=root "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK/pYT0+/d8DMz4Mrk4yZxaLEUQmkWcDabXMx4VEX7oS a"
"""
_YAML = """\
hostname: xen1
root: {ssh_keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK/pYT0+/d8DMz4Mrk4yZxaLEUQmkWcDabXMx4VEX7oS a]}
"""


def _warnings(text: str, name: str) -> list[tuple[Span, str]]:
    reading = read_answer(AnswerText(text, name))
    assert reading.spec
    return [(it.where, it.message) for it in reading.problems
            if it.severity is Severity.WARNING and "consent" in it.message]  # fmt: skip


def test_the_consent_is_for_another_disk_than_the_installation() -> None:
    text = _KS + "ignoredisk --only-use=sda\nclearpart --all --drives=sdb,sdc\n"
    ((where, message),) = _warnings(text, "a.ks")
    assert (where.line, text.split("\n")[3][where.column - 1 : where.end - 1]) == (4, "sdb,sdc")
    assert message == ("the installation goes onto /dev/sda, but the consent to erase is for /dev/sdb and /dev/sdc")
    text = _YAML + "disk:\n  select: serial=A1\n  wipe_disks: [serial=B2]\n"
    ((where, message),) = _warnings(text, "a.yaml")
    assert (where.line, where.column) == (5, 16)


@pytest.mark.parametrize(
    ("select", "drives"),
    [
        ("sda", "sda"), ("sda", "sdb,sda"),
        # Two names may well be those of one disk.
        ("sda", "serial=B2"), ("sda", "disk/by-id/nvme-EXAMPLE_1"), ("smallest", "sdb"), ("serial=A*", "serial=B2"),
        ("disk/by-id/nvme-EXAMPLE_1", "disk/by-id/wwn-0x5000"), ("model=A", "serial=B2"),
    ],
)  # fmt: skip
def test_nothing_is_said_where_they_may_be_the_same(select: str, drives: str) -> None:
    assert not _warnings(_KS + f"ignoredisk --only-use={select}\nclearpart --all --drives={drives}\n", "a.ks")


@pytest.mark.parametrize(
    ("select", "drives"), [("ssd", "hdd"), ("wwn=0x1", "wwn=0x2"), ("ssd & serial=A", "serial=B")]
)
def test_terms_that_exclude_each_other(select: str, drives: str) -> None:
    assert _warnings(_KS + f"ignoredisk --only-use='{select}'\nclearpart --all --drives='{drives}'\n", "a.ks")


def test_the_second_leg_of_a_mirror_may_be_the_one() -> None:
    text = _KS + "ignoredisk --only-use=sda\nmirror --with=sdb\nclearpart --all --drives=sdb\n"
    assert not _warnings(text, "a.ks")
