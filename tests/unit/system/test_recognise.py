"""What the signatures on a disk amount to."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.installer.machines import disk
from zeroth.system.facts import PartitionFacts, Signature
from zeroth.system.recognise import systems

SR = "VG_XenStorage-2b8bd1a2-8c1c-4b9f-9a39-52a4a2f0a0c1"


def _part(number: int, *signs: Signature, kind: str = "") -> PartitionFacts:
    return PartitionFacts(number=number, path=f"/dev/sda{number}", start=0, size=1, type=kind, signatures=signs)


def _sign(kind: str, label: str = "", group: str = "") -> Signature:
    return Signature(type=kind, offset=0, label=label, group=group)


def test_a_xenserver() -> None:
    parts = (
        _part(1, _sign("ext4", "root-abcdef")),
        _part(3, _sign("LVM2_member", group=SR)),
        _part(5, _sign("ext4", "logs-abcdef")),
    )
    assert systems((), parts) == (
        "a XenServer or XCP-ng host",
        f"guests' disks of a XenServer or XCP-ng host (volume group {SR})",
    )
    # Labels of two installations make none.
    assert systems((), (_part(1, _sign("ext4", "root-abcdef")), _part(5, _sign("ext4", "logs-fedcba")))) == ()


def test_other_systems_and_members() -> None:
    assert systems((), (_part(2, kind="e3c9e316-0b5c-4db8-817d-f92df00215ae"),)) == ("Windows",)
    assert systems((), (_part(2, kind="aa31e02a-400f-11db-9590-000c2911d1b8"),)) == ("VMware ESXi",)
    assert systems((), (_part(3, _sign("LVM2_member", group="pve")),)) == (
        "Proxmox VE",
        "part of the volume group pve",
    )
    twice = (_sign("zfs_member", "tank"), _sign("zfs_member", "tank"))
    assert systems(twice, ()) == ("part of the ZFS pool tank",)
    assert systems((_sign("linux_raid_member", "nas:0"),), ()) == ("part of the md array nas:0",)
    assert systems((_sign("linux_raid_member"),), ()) == ("part of an md array",)
    assert systems((_sign("LVM2_member"),), ()) == ()


def test_it_comes_first_in_what_is_lost() -> None:
    carrying = disk(signatures=(_sign("zfs_member", "tank"),))
    assert carrying.contents == ("part of the ZFS pool tank", "zfs_member")


@given(st.lists(st.tuples(st.sampled_from(["LVM2_member", "ext4", "zfs_member", "ddf_raid_member"]), st.text())))
def test_no_phrase_twice_and_the_order_of_what_is_found(signs: list[tuple[str, str]]) -> None:
    found = systems([_sign(kind, label, label) for kind, label in signs], ())
    assert len(set(found)) == len(found)
    assert all(found)
