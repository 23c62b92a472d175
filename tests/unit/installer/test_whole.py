"""The whole command on a loop device: installs, keeps its log, and has nothing to do the second time."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from installer.apply import Places
from installer.ending import Ended
from installer.image import read_image
from installer.main import Session
from tests.unit.installer.loopdisk import LoopDisk, loop_disk
from tests.unit.installer.machines import HASH, machine
from tests.unit.installer.networks import ModelNetwork
from tests.unit.installer.test_image import make_medium
from zeroth.deploy.layout import Part
from zeroth.errors import ExitCode
from zeroth.system.block import mounted, partition_path
from zeroth.system.facts import Facts, FirmwareFacts
from zeroth.system.size import GIB

pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="loop devices and mounts need root"), pytest.mark.thorough]


@dataclass(frozen=True)
class OneDisk:
    disk: LoopDisk

    def facts(self) -> Facts:
        return machine(self.disk.facts(), firmware=FirmwareFacts(kind="bios"))


def test_twice(tmp_path: Path) -> None:
    image = read_image(make_medium(tmp_path / "medium"), Path("/nonexistent"))
    answer = tmp_path / "answer.yaml"
    answer.write_text(f'hostname: host1\nroot: {{password_hash: "{HASH}"}}\n')
    with loop_disk(tmp_path / "disk", 16 * GIB) as disk:

        def session(number: int) -> Session:
            return Session(
                [io.StringIO()],
                answer,
                machine=OneDisk(disk),
                image=lambda: image,
                links=lambda: None,
                trial=ModelNetwork(),
                places=Places(mounts=tmp_path / "mounts", efi_loader=image.root.path),
                log=tmp_path / f"run-{number}" / "install.log",
            )

        report = session(1).run()
        assert (report.ended, report.code) == (Ended.FINISHED, ExitCode.DONE)
        with mounted(partition_path(disk.node, Part.LOG), tmp_path / "look") as folder:
            log = (folder / "zeroth" / "install.log").read_text()
        for text in ("Find the answer: done", "Write the partition table (GPT)", "Install zeroth: done"):
            assert text in log
        assert HASH not in log
        again = session(2).run()
        assert (again.ended, again.code) == (Ended.NOTHING_TO_DO, ExitCode.DONE)
