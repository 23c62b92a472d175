"""Installing by hand, as a person at a terminal of 80 by 25 on the serial line does."""

from __future__ import annotations

from tests.lab import disks
from tests.lab.answers import HOSTNAME, PASSWORD
from tests.lab.install import BOOT_PROBLEMS, FINISHED, INSTALL_SECONDS, boot, choose, new_target
from tests.lab.keys import public_key
from tests.lab.machine import Disk, Firmware, Machine
from tests.lab.paths import ISO, RESULTS
from tests.lab.scenario import scenario
from tests.lab.seat import Seat
from tests.lab.stage import Stage, expect
from tests.lab.tools import tools

_FAILED = "The installation failed"


@scenario(minutes=10)
def screens(stage: Stage) -> None:
    """A person installs at the serial console, keeps the answer on a stick, and the host boots."""
    target = new_target(stage, Firmware.BIOS)
    disks.fat_data(target.disk.path, "letters.txt", b"Dear all,\n")
    stick = disks.fat_volume(stage.folder / "stick.img", "STICK", {"readme.txt": "mine\n"})
    machine = Machine(disks=(target.disk, Disk(stick, "stick")), cd=ISO.resolve(), cpus=1)
    host = choose(stage, machine, "a", "install")
    host.wait_for("Press Enter here", INSTALL_SECONDS, never=BOOT_PROBLEMS)
    seat = Seat(host, RESULTS / "screens")
    before = disks.digest(target.disk.path)
    with stage.step("answer"):
        _answer(seat)
    with stage.step("keep the answer"):
        _keep(seat)
    expect(disks.digest(target.disk.path) == before, "the disk was written to before anybody agreed")
    with stage.step("agree and install"):
        seat.next("Not yet: say that what is on the disk may be destroyed")
        seat.press("right")
        seat.next("Installing")
        seat.wait("[>]   Write the root image", INSTALL_SECONDS, never=_FAILED)
        seat.picture("progress")
        host.screen("screen-meanwhile")
        seat.wait("zeroth is installed", INSTALL_SECONDS, never=_FAILED)
        seat.picture("finished")
        seat.press("enter")
        host.wait_for(FINISHED, 120)
        stopped = host.wait_stopped(180)
    expect(stopped.reason == "guest-reset", f"it should have restarted, not {stopped}")
    host.kill()
    saved = tools().run("mtype", "-i", stick, "::/lab1.ks").stdout
    expect(f"--hostname={HOSTNAME}" in saved, f"the saved answer is not this host's:\n{saved}")
    expect("rootpw --iscrypted" in saved and PASSWORD not in saved, "the saved answer should hold the hash only")
    with stage.step("the host"):
        installed = boot(stage, target.machine())
        name = installed.ssh("hostname --fqdn || hostname").strip()
        expect(name == HOSTNAME, f"the host calls itself {name}")


def _answer(seat: Seat) -> None:
    """Every page of a plain installation."""
    seat.press("enter")
    seat.wait("Step 1 of 8", 180)
    seat.picture("locale")
    seat.next("Step 2 of 8")
    seat.type(HOSTNAME)
    seat.picture("name")
    seat.next("Step 3 of 8")
    # The stick is too small: the one disk that is left is marked already.
    seat.wait("[x] vda")
    seat.picture("disk")
    for page in ("network", "time", "login"):
        seat.next({"network": "Step 4 of 8", "time": "Step 5 of 8", "login": "Step 6 of 8"}[page])
        if page != "login":
            seat.picture(page)
    seat.type(PASSWORD)
    seat.press("enter")
    seat.type(PASSWORD)
    seat.press("enter")
    seat.type(public_key())
    seat.picture("login")
    seat.next("Step 7 of 8")
    seat.picture("pool")
    seat.next("WILL BE DESTROYED")
    seat.picture("summary")


def _keep(seat: Seat) -> None:
    """The answer, on the stick."""
    seat.press("tab", "tab", "tab", "tab", "enter")
    seat.wait("Save the answer")
    seat.wait("'STICK'")
    seat.next("Saved as lab1.ks")
    seat.picture("save")
    seat.press("escape")
    seat.wait("Summary")
