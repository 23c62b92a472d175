"""What domain 0 is given after a signed program started it."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from zeroth.deploy import slot_cli
from zeroth.deploy.dom0 import fit_commands
from zeroth.spec.model import Dom0Spec
from zeroth.system.size import GIB, Size


@pytest.mark.parametrize(
    ("dom0", "commands"),
    [
        (Dom0Spec(), []),
        (Dom0Spec(memory=Size(2 * GIB)), [["xl", "mem-set", "Domain-0", "2048m"]]),
        (Dom0Spec(memory=Size(1 * GIB)), [["xl", "mem-set", "Domain-0", "1024m"]]),
        (Dom0Spec(memory=Size(64 * GIB)), [["xl", "mem-set", "Domain-0", "4096m"]]),
        (Dom0Spec(vcpus=2), [["xl", "vcpu-set", "Domain-0", "2"]]),
    ],
)
def test_only_what_differs_is_set(dom0: Dom0Spec, commands: list[list[str]]) -> None:
    assert fit_commands(dom0) == commands


def test_nothing_is_done_where_xen_has_the_settings_already() -> None:
    said = CliRunner().invoke(slot_cli.slot, ["fit"], catch_exceptions=False)
    assert said.output == "nothing to do\n"
