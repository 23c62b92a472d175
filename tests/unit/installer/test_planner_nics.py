"""Planning: which network cards the management network is on."""

from __future__ import annotations

from installer.nics import pinned
from installer.planner import plan_installation
from installer.show import outcome_text
from tests.unit.installer.machines import NIC, disk, machine, planned, reasons, request, spec
from zeroth.system.facts import NicFacts


def test_nic_by_name_mac_or_link() -> None:
    linked, dark = NIC, NicFacts(name="enp2s0", mac="52:54:00:00:00:02", carrier=False)
    facts = machine(disk(), nics=(dark, linked))
    assert planned(facts).nics == (linked,)
    assert planned(facts, spec(management={"nic": "52:54:00:00:00:02"})).nics == (dark,)
    assert planned(facts, spec(management={"nic": "enp2s0"})).reservations
    assert "enp9s0" in reasons(plan_installation(facts, request(spec(management={"nic": "enp9s0"}))))


def test_the_cards_of_a_bond_must_all_be_there() -> None:
    dark = NicFacts(name="enp2s0", mac="52:54:00:00:00:02", carrier=False)
    other = NicFacts(name="enp3s0", mac="52:54:00:00:00:03", carrier=True)
    facts = machine(disk(), nics=(NIC, dark, other))
    plan = planned(facts, spec(management={"bond": {"name": "bond7", "nics": ["52:54:00:00:00:02", "enp1s0"]}}))
    assert (plan.nics, plan.bond) == ((dark, NIC), "bond7")
    assert plan.as_json()["management_bond"] == {
        "name": "bond7",
        "nics": [{"name": nic.name, "mac": nic.mac, "neighbour": None} for nic in (dark, NIC)],
    }
    assert "enp2s0 (52:54:00:00:00:02) has no link" in " ".join(plan.reservations)
    assert "Network: bond7 of enp2s0 (52:54:00:00:00:02) and enp1s0" in outcome_text(plan)
    kept = pinned(spec(management={"vlan": 7, "bond": {"nics": ["enp2s0", "enp1s0"]}}).management, plan.nics)
    assert kept.bond
    assert (kept.vlan, kept.nic, kept.bond.nics) == (7, None, ("52:54:00:00:00:02", "52:54:00:00:00:01"))
    gone = spec(management={"bond": {"nics": ["enp1s0", "enp9s0", "52:54:00:00:00:09"]}})
    why = reasons(plan_installation(facts, request(gone)))
    assert "no network card is enp9s0, no network card is 52:54:00:00:00:09; this machine has" in why
    for words in ("01, link): taken", "02, no link): not named by the bond", "03, link): not named by the bond"):
        assert words in why


def test_the_card_of_a_disk_over_iscsi_carries_nothing_else() -> None:
    its = NicFacts(name="enp2s0", mac="52:54:00:00:00:02", carrier=True, iscsi=True)
    facts = machine(disk(), nics=(NIC, its))
    assert planned(facts).nics == (NIC,)
    for management in ({"nic": "enp2s0"}, {"bond": {"nics": ["enp1s0", "enp2s0"]}}):
        why = reasons(plan_installation(facts, request(spec(management=management))))
        assert "over iSCSI through enp2s0 (52:54:00:00:00:02, link), which carries nothing else" in why
    assert "no network card is left" in reasons(plan_installation(machine(disk(), nics=(its,)), request()))


def test_nic_is_never_guessed() -> None:
    two = (NIC, NicFacts(name="enp2s0", mac="52:54:00:00:00:02", carrier=True))
    assert "2 of them" in reasons(plan_installation(machine(disk(), nics=two), request()))
    dark = tuple(nic.model_copy(update={"carrier": None}) for nic in two)
    assert "none has a link" in reasons(plan_installation(machine(disk(), nics=dark), request()))
    assert planned(machine(disk(), nics=dark[:1])).reservations
