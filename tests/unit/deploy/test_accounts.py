"""Merging of account files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeroth.deploy.accounts import merge_accounts
from zeroth.errors import UserError

BASE = "root:x:0:0:root:/root:/bin/bash\nzeroth:x:810:810::/var/lib/zeroth:/usr/sbin/nologin\n"
ADA = "ada:x:1000:1000::/home/ada:/bin/bash\n"
NEW = "newd:x:840:840::/:/usr/sbin/nologin\n"


def test_the_host_s_people_and_the_image_s_new_system_user_are_both_there() -> None:
    assert merge_accounts("passwd", BASE, BASE + ADA, BASE + NEW) == BASE + ADA + NEW


def test_what_only_one_side_changed_is_taken_from_it() -> None:
    ours = BASE.replace("/bin/bash", "/bin/sh")
    theirs = BASE.replace("/var/lib/zeroth", "/var/lib/other")
    assert merge_accounts("passwd", BASE, ours, theirs) == ours.replace("/var/lib/zeroth", "/var/lib/other")
    assert merge_accounts("passwd", BASE + NEW, BASE + NEW + ADA, BASE) == BASE + ADA
    assert merge_accounts("passwd", BASE + NEW, BASE + ADA, BASE + NEW) == BASE + ADA


def test_a_password_that_was_set_stays() -> None:
    base, ours = "root:*:20000:0:99999:7:::\n", "root:$6$x$y:20001:0:99999:7:::\n"
    theirs = "root:!*:20100:0:99999:7:::\nnewd:!*:20100::::::\n"
    assert merge_accounts("shadow", base, ours, theirs) == ours + "newd:!*:20100::::::\n"


def test_members_are_merged() -> None:
    base, ours, theirs = "libvirt:x:820:old,zeroth\n", "libvirt:x:820:old,zeroth,ada\n", "libvirt:x:820:zeroth,newd\n"
    assert merge_accounts("group", base, ours, theirs) == "libvirt:x:820:zeroth,ada,newd\n"


@pytest.mark.parametrize("name", ["passwd", "group"])
def test_an_id_that_somebody_else_has_is_refused(name: str) -> None:
    taken = ADA.replace("1000:1000", "840:840")
    with pytest.raises(UserError, match="newd with the id 840, which ada"):
        merge_accounts(name, BASE, BASE + taken, BASE + NEW)


NAMES = st.sampled_from("abcdefgh")
FILES = st.dictionaries(NAMES, st.sampled_from(["/bin/sh", "/bin/bash", "/bin/false"])).map(
    lambda found: "".join(f"{name}:x:{ord(name)}:0:::{shell}\n" for name, shell in found.items())
)


def _records(text: str) -> set[str]:
    return set(text.splitlines())


@given(FILES, FILES, FILES)
def test_merging_is_what_it_should_be(base: str, ours: str, theirs: str) -> None:
    merged = merge_accounts("passwd", base, ours, theirs)
    names = [line.partition(":")[0] for line in merged.splitlines()]
    assert len(set(names)) == len(names)
    assert _records(merged) <= _records(ours) | _records(theirs)
    # What the host added or changed is there, and so is whatever is new in the image.
    assert _records(ours) - _records(base) <= _records(merged)
    known = {line.partition(":")[0] for line in (base + ours).splitlines()}
    assert {line for line in _records(theirs) if line.partition(":")[0] not in known} <= _records(merged)


@given(FILES, FILES)
def test_one_side_alone_gives_that_side(base: str, other: str) -> None:
    assert _records(merge_accounts("passwd", base, base, other)) == _records(other)
    assert _records(merge_accounts("passwd", base, other, base)) == _records(other)
