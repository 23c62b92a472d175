"""Figures: as data, from logs, from trees."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from tests.bench.figures import Figures, as_json, print_figures
from tests.bench.hosts import install_steps
from tests.bench.size import package_sizes
from zeroth.progress import Stream
from zeroth.sinks import PlainSink

TABLE = Figures("size", "Size", ("file", "MiB"), (("a", 1.25), ("b", None)), "note")


def test_a_table_as_data() -> None:
    assert as_json(TABLE)["rows"] == [{"file": "a", "MiB": 1.25}, {"file": "b", "MiB": None}]


def test_a_table_for_people() -> None:
    out = io.StringIO()
    print_figures(TABLE, Console(file=out, width=60))
    assert "1.2" in out.getvalue()
    assert "None" not in out.getvalue()


def test_steps_of_an_installation() -> None:
    out = io.StringIO()
    stream = Stream([PlainSink(out, timestamps=True)])
    with stream.step("Install zeroth") as step:
        with step.step("Write (all)") as inner:
            inner.log("a remark: done (of sorts)")
        step.skip("Mirror", "one disk")
    assert [name for name, _ in install_steps(out.getvalue())] == ["  Write (all)", "Install zeroth"]


def test_sizes_of_packages(tmp_path: Path) -> None:
    info = tmp_path / "usr/lib/sysimage/dpkg/info"
    info.mkdir(parents=True)
    (tmp_path / "usr/bin").mkdir()
    (tmp_path / "usr/bin/one").write_bytes(b"12345")
    (tmp_path / "usr/bin/link").symlink_to("one")
    (info / "one:amd64.list").write_text("/.\n/usr/bin\n/usr/bin/one\n/usr/bin/link\n/usr/share/doc/left-out\n")
    assert package_sizes(tmp_path) == {"one": 5}
