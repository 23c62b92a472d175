"""The zeroth-host element's installer of wheels."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.unit.images.elements import tool

wheels = tool("zeroth-host", "install_wheel")


def wheel(path: Path, files: dict[str, str], *, pure: str = "true") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a-1.dist-info/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: {pure}\n")
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def test_a_wheel_is_installed_with_its_command(tmp_path: Path) -> None:
    (tmp_path / "usr/bin").mkdir(parents=True)
    points = "[console_scripts]\nDo-It = a.cli:main\n[other]\nx = y:z\n"
    made = wheel(
        tmp_path / "a.whl",
        {"a/cli.py": "def main(): return 3\n", "a-1.dist-info/entry_points.txt": points, "a-1.data/data/man": ""},
    )
    site = tmp_path / "usr/lib/python3/dist-packages"
    assert wheels.install(made, tmp_path) == [site / "a/cli.py"]
    command = tmp_path / "usr/bin/Do-It"
    assert os.access(command, os.X_OK)
    run = subprocess.run(["python3", command], env={"PYTHONPATH": str(site), "PATH": os.environ["PATH"]})
    assert run.returncode == 3
    with pytest.raises(ValueError, match="another package"):
        wheels.install(made, tmp_path)
    shutil.rmtree(site)
    with pytest.raises(ValueError, match="Do-It: belongs"):
        wheels.install(made, tmp_path)


def test_wheels_go_below_another_root(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "usr/bin").mkdir(parents=True)
    wheels.main(["--root", str(tmp_path), str(wheel(tmp_path / "b.whl", {"b.py": ""}))])
    assert capsys.readouterr().out.split() == [str(tmp_path / wheels.SITE / "b.py")]
    with pytest.raises(SystemExit, match="not a wheel|zip"):
        (tmp_path / "c.whl").write_text("no archive")
        wheels.main([str(tmp_path / "c.whl")])


@pytest.mark.parametrize("name", ["../a.py", "/etc/a.py", "a/../../b.py"])
def test_a_wheel_cannot_write_outside(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="leads out"):
        wheels.install(wheel(tmp_path / "a.whl", {name: ""}), tmp_path)


def test_compiled_wheels_and_odd_commands_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="pure"):
        wheels.install(wheel(tmp_path / "a.whl", {}, pure="false"), tmp_path)
    with pytest.raises(ValueError, match="cannot be installed|can be installed"):
        wheels.console_scripts("[console_scripts]\na = b:c(); import os\n")
