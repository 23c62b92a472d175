"""Answers compared as hosts: what differs, by setting, and no secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from zeroth.cli import run_cli
from zeroth.errors import ExitCode
from zeroth.spec import AnswerText, HostSpec, read_answer
from zeroth.spec.compare import compared
from zeroth.spec.secrets import hash_password

GOOD = Path(__file__).parents[2] / "answers" / "good"
_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK/pYT0+/d8DMz4Mrk4yZxaLEUQmkWcDabXMx4VEX7oS admin@example.com"


def _host(**data: object) -> HostSpec:
    text = json.dumps({"hostname": "xen1", "root": {"ssh_keys": [_KEY]}, **data})
    return read_answer(AnswerText(text, "a.json"), keep_plain=True).accepted()


def _changes(one: HostSpec, other: HostSpec) -> dict[str, tuple[Any, Any]]:
    return {change.path: (change.before, change.after) for change in compared(one, other)}


def test_the_same_host_in_three_languages() -> None:
    full = [read_answer(AnswerText.from_file(GOOD / name), keep_plain=True).accepted()
            for name in ("full.ks", "full.yaml", "full.json")]  # fmt: skip
    assert compared(full[0], full[1]) == compared(full[1], full[2]) == []


def test_settings_are_named_by_their_path() -> None:
    network = {"name": "Storage", "purposes": ["storage"], "vlan": 5, "address": {"method": "dhcp"}}
    guests = {"name": "Guests", "purposes": ["guests"], "vlan": 6}
    one = _host(networks=[network], dom0={"memory": "2 GiB"})
    other = _host(networks=[guests, {**network, "vlan": 7}], dom0={"memory": "2 GiB", "xen_append": ["ucode=scan"]})
    changes = _changes(one, other)
    assert list(changes) == ["networks[Storage].vlan", "networks[Guests]", "dom0.xen_append"]
    assert changes["networks[Storage].vlan"] == (5, 7)
    assert changes["networks[Guests]"][0] is None
    assert changes["networks[Guests]"][1]["purposes"] == ["guests"]
    assert changes["dom0.xen_append"] == ([], ["ucode=scan"])


def test_kinds_of_an_address_are_told_apart() -> None:
    static = {"method": "static", "address": "192.0.2.10/24"}
    changes = _changes(_host(), _host(management={"address": static}))
    assert changes["management.address.method"] == ("dhcp", "static")
    assert changes["management.address.address"] == (None, "192.0.2.10/24")


def test_secrets_differ_without_being_told() -> None:
    def with_bmc(password: str) -> HostSpec:
        return _host(power={"bmc": {"address": "bmc", "username": "u", "password": password}})

    assert _changes(with_bmc("hunter1"), with_bmc("hunter2")) == {"power.bmc.password": ("***", "***")}
    assert _changes(_host(), with_bmc("hunter2"))["power.bmc"][1]["password"] == "***"
    assert compared(with_bmc("hunter1"), with_bmc("hunter1")) == []


def test_a_plain_password_is_its_hash() -> None:
    plain, wrong = (_host(root={"password": word}) for word in ("correct horse", "battery staple"))
    hashed = _host(root={"password_hash": hash_password("correct horse")})
    assert compared(plain, hashed) == compared(hashed, plain) == compared(plain, plain) == []
    assert _changes(wrong, hashed) == _changes(plain, wrong) == {"root.password": ("***", "***")}
    users = [{"name": "ops", "password": "correct horse"}]
    hashes = [{"name": "ops", "password_hash": hash_password("correct horse")}]
    assert compared(_host(users=users), _host(users=hashes)) == []
    assert "users[ops].password" in _changes(_host(users=users), _host(users=[{"name": "ops", "password": "other"}]))


def test_diff_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = GOOD / "full.ks", tmp_path / "other.yaml"
    assert run_cli(["answer", "diff", str(one), str(GOOD / "full.json")]) == ExitCode.DONE
    assert capsys.readouterr().out == "both describe the same host\n"
    other.write_text((GOOD / "full.yaml").read_text().replace("vlan: 100", "vlan: 101"))
    assert run_cli(["answer", "diff", str(one), str(other)]) == ExitCode.RESERVATIONS
    assert capsys.readouterr().out == "management.vlan\n  - 100\n  + 101\n"
    assert run_cli(["answer", "diff", "--json", str(one), str(other)]) == ExitCode.RESERVATIONS
    assert json.loads(capsys.readouterr().out) == [{"field": "management.vlan", "before": 100, "after": 101}]
    assert run_cli(["answer", "diff", str(one), "/nonexistent.ks"]) == ExitCode.INPUT


def test_diff_tells_no_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, word in (("a", "hunter1"), ("b", "hunter2")):
        (tmp_path / f"{name}.yaml").write_text(f"hostname: xen1\nroot: {{password: {word}}}\n")
    for more in ([], ["--json"]):
        argv = ["answer", "diff", str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml"), *more]
        assert run_cli(argv) == ExitCode.RESERVATIONS
        shown = capsys.readouterr()
        assert "root.password" in shown.out
        assert "hunter" not in shown.out + shown.err
