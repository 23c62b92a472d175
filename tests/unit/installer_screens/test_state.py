"""What the screens propose, apart from any screen."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from installer.plan import InstallPlan
from installer.screens.state import State
from tests.unit.installer.machines import disk, machine
from tests.unit.installer_screens.person import fresh
from zeroth.deploy.layout import InstallId
from zeroth.system.facts import MarkerFacts, PartitionFacts, ZerothFacts
from zeroth.system.size import MIB

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK/pYT0+/d8DMz4Mrk4yZxaLEUQmkWcDabXMx4VEX7oS ann@example.org"
SAID: dict[str, Any] = {"hostname": "xen7", "root": {"ssh_keys": [KEY]}}
DATA = PartitionFacts(number=1, path="/dev/sda1", start=MIB, size=MIB, label="letters")


def _agreed(state: State) -> tuple[InstallPlan, str]:
    """The plan, and the digest that the installer marks the disk with when they agree to it."""
    proposal = state.propose()
    assert isinstance(proposal.outcome, InstallPlan), proposal.outcome
    assert proposal.spec is not None
    return proposal.outcome, state.draft.answer(proposal.spec).digest(*state.keys)


def _cut_off(digest: str, install: UUID) -> Any:  # noqa: ANN401
    part = DATA.model_copy(update={"label": "zeroth-bios"})
    marker = MarkerFacts(phase="installing", digest=digest, install=install)
    return disk(
        table="gpt", table_uuid=InstallId(install).disk_guid, partitions=(part,), zeroth=ZerothFacts(marker=marker)
    )


@pytest.mark.parametrize("keys", [(), (KEY,)])
@pytest.mark.parametrize("before", [disk(), disk(table="gpt", partitions=(DATA,))])
def test_another_try_goes_on_with_what_was_begun(before: Any, keys: tuple[str, ...]) -> None:  # noqa: ANN401
    """Whether the disk was empty or not, and with keys in the medium too."""
    state = fresh(SAID, machine(before))
    state.keys = keys
    plan, digest = _agreed(state)
    assert bool(plan.destroys) == bool(before.contents)
    install = uuid4()
    state.again(machine(_cut_off(digest, install)))
    plan, again = _agreed(state)
    assert (plan.resumes, plan.destroys, again) == ("installing", (), digest)
    assert plan.identity == InstallId(install)


def test_what_was_begun_for_another_host_is_lost() -> None:
    state = fresh(SAID, machine(_cut_off("ab" * 32, uuid4())))
    plan, _ = _agreed(state)
    assert plan.resumes == ""
    assert "unfinished" in " ".join(plan.destroys)
