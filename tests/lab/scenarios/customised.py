"""An image with what a user adds to it."""

from __future__ import annotations

import sys

from tests.lab.checks import check_host
from tests.lab.install import boot, install, new_target
from tests.lab.machine import Firmware
from tests.lab.paths import ROOT
from tests.lab.scenario import scenario
from tests.lab.stage import Stage, expect
from zeroth.system.run import run

_SPEC = """
branding: {product: Example Cloud Host}
packages: [tree]
variables: {site: Berlin}
files:
  - {source: site.conf.j2, target: /etc/site/site.conf, template: true, mode: "0640", owner: "root:adm"}
modules: {block: [floppy]}
boot: {xen: [loglvl=all], dom0: [site.where=here]}
locales: [de_DE.UTF-8]
"""
_EXPECTED = {
    "tree --version": "tree v",
    "cat /etc/site/site.conf": "site = Berlin",
    "stat -c %a:%U:%G /etc/site/site.conf": "640:root:adm",
    "modprobe -n -v floppy": "install /bin/false",
    "xl info": "loglvl=all",
    "cat /proc/cmdline": "site.where=here",
    "LC_ALL=de_DE.UTF-8 date -d 2026-03-01 +%B": "März",
    "cat /etc/issue": "Example Cloud Host",
}


@scenario(minutes=12)
def customised(stage: Stage) -> None:
    """An image with a package, a file, modules, arguments, a locale and a name of the user's installs and has them."""
    site = stage.folder / "site"
    site.mkdir()
    (site / "zeroth-image.yaml").write_text(_SPEC)
    (site / "site.conf.j2").write_text("site = {{ site }}\n")
    dist = site / "dist"
    with stage.step("build"):
        options = ["--profile", "dev", "--customise", str(site / "zeroth-image.yaml"), "--into", str(dist)]
        run([sys.executable, "-m", "zeroth", "image", "build", *options], cwd=ROOT, on_line=stage.log)
    target = new_target(stage, Firmware.BIOS)
    with stage.step("install from CD"):
        install(stage, target, medium=dist / "zeroth.iso")
    with stage.step("first boot"):
        host = boot(stage, target.machine())
    with stage.step("check the host"):
        check_host(host)
        for command, wanted in _EXPECTED.items():
            said = host.ssh(f"{command} 2>&1 || true")
            expect(wanted in said, f"{command} says {said.strip()!r}, without {wanted!r}")
