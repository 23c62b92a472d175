"""The hosts on a machine's disks, and how what they lie on is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from installer.hosts import FoundHost, state_device
from tests.unit.installer.machines import disk
from zeroth.errors import ExitCode, UserError
from zeroth.system.mdraid import Array, Member
from zeroth.system.size import GIB


def test_an_array_of_others_with_the_same_number_is_not_the_hosts(tmp_path: Path) -> None:
    """On a host that runs on two disks, or where somebody started an array by hand."""
    host = FoundHost((disk("/dev/sda"), disk("/dev/sdb")), "ab")
    others = (Member(Path("/dev/sdc5"), Path("/dev/sdc"), "in_sync"),)
    running = Array(tmp_path / "md5", others, 1, GIB)
    with (
        pytest.raises(UserError, match=r"/md5 runs already, on /dev/sdc5") as caught,
        state_device(host, tmp_path, lambda _: running),
    ):
        pytest.fail("it would be mounted")
    assert f"mdadm --stop {tmp_path}/md5" in caught.value.hint
    assert caught.value.code is ExitCode.MACHINE
