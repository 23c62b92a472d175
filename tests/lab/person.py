"""An installed host in front of a person, and pictures of one for the documentation."""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console

from tests.lab.answers import HOSTNAME, PASSWORD
from tests.lab.golden import resume
from tests.lab.guest.place import KERNEL, RAMDISK, put_guest
from tests.lab.host import Host
from tests.lab.install import FAILED, FINISHED, INSTALL_SECONDS, installer_machine, new_target
from tests.lab.keys import test_key
from tests.lab.machine import Firmware
from tests.lab.paths import CACHE, RESULTS, ROOT
from tests.lab.runner import Lane
from tests.lab.stage import Stage
from tests.lab.terminal import watch
from tests.lab.web import certificate, wait_api
from zeroth.progress import Stream
from zeroth.system.files import atomic_write

__all__ = ["stand", "take_pictures"]

PICTURES = ROOT / "docs" / "pictures"


def stand(console: Console, firmware: Firmware) -> None:
    """Start the golden host (install it first if there is none yet) and give the person its ports and console."""
    stage = Stage("host", CACHE / "run" / "host", Stream([Lane(console)]))
    try:
        with stage.running():
            host = resume(stage, firmware)
            wait_api(host, 300)
            authority = CACHE / "host.pem"
            atomic_write(authority, certificate(host))
            put_guest(host, stage.folder)
        console.print(_welcome(host, authority), highlight=False, markup=False)
        watch(host)
    finally:
        stage.end()
        stage.clear()
    console.print("The host is gone; what it did is forgotten.", highlight=False)


def take_pictures(console: Console) -> list[Path]:
    """Screens of an installation and of a host's console, as PNG files in ``docs/pictures``."""
    stage = Stage("pictures", CACHE / "run" / "pictures", Stream([Lane(console)]))
    try:
        with stage.running():
            with stage.step("install"):
                host = stage.start(installer_machine(stage, new_target(stage, Firmware.BIOS)), "install")
                host.wait_for("Install zeroth on the serial console", 120)
                menu = host.screen("boot-menu")
                installer = _last_screen(host, FINISHED, FAILED)
                host.wait_stopped(120)
            with stage.step("host"):
                console_screen = resume(stage, Firmware.BIOS).screen("console")
            PICTURES.mkdir(parents=True, exist_ok=True)
            kept = []
            for name, picture in (("boot-menu", menu), ("installer", installer), ("console", console_screen)):
                kept.append(PICTURES / f"{name}.png")
                atomic_write(kept[-1], picture.read_bytes())
            return [*kept, *_screens()]
    finally:
        stage.end()
        stage.clear()


def _screens() -> list[Path]:
    """What the scenario ``screens`` kept, when it was run: pictures of every page of an installation by hand."""
    kept = []
    for source in sorted((RESULTS / "screens").glob("*.svg")):
        kept.append(PICTURES / f"screen-{source.name}")
        atomic_write(kept[-1], source.read_bytes())
    return kept


def _last_screen(host: Host, until: str, never: str) -> Path:
    """The last screen before the machine's serial line says ``until``, of those taken every few seconds."""
    end = time.monotonic() + INSTALL_SECONDS
    while True:
        picture = host.screen("installer")
        time.sleep(4)
        if until in host.serial.text() or time.monotonic() > end:
            break
    host.wait_for(until, 0, never=never, from_start=True)
    return picture


def _welcome(host: Host, authority: Path) -> str:
    web, ssh = host.forwards[443], host.forwards[22]
    return f"""
An installed host stands in front of you. It reaches nothing but this machine.

  web, API   https://127.0.0.1:{web}/   (its certificate, {authority}, names {HOSTNAME})
  user       root
  password   {PASSWORD}
  ssh        ssh -i {test_key()} -p {ssh} root@127.0.0.1
  API        curl --cacert {authority} --connect-to {HOSTNAME}:443:127.0.0.1:{web} https://{HOSTNAME}/
  a guest    {KERNEL} with {RAMDISK}, to start over the API
  logs       {host.folder}

Below is its serial console. Ctrl-A x ends the host (without a terminal: Ctrl-C).
"""
