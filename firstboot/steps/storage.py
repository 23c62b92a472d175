"""The local storage repository: made on the partitions that are left for it, or taken over where one was kept.

A host without guests' disks can still be reached and put right: what does not work here is told, and ends nothing. It
is tried again at every start until it works.
"""

from __future__ import annotations

from firstboot.context import Context, Step
from zeroth.deploy.localsr import read_record, record_text
from zeroth.drivers.storage.localsr import apply_local_sr, found_record, observe_local_sr, plan_local_sr
from zeroth.errors import UserError

__all__ = ["STORAGE", "storage_missing"]


def _apply(context: Context) -> str:
    try:
        return _storage(context)
    except UserError as error:
        return f"the local storage repository is not there: {error}" + (f" {error.hint}" if error.hint else "")


def _storage(context: Context) -> str:
    record = read_record(context.paths.local_sr)
    if record is None:
        return ""
    devices = context.paths.of("dev")
    # The node of a disk that is slow to start comes late.
    context.system.run(["udevadm", "settle", "--timeout=60"])
    for action in plan_local_sr(record, observe_local_sr(record, context.system.run, devices)):
        context.say(action.title)
        apply_local_sr(action, context.system.run)
    found = found_record(record, observe_local_sr(record, context.system.run, devices))
    context.system.write(context.paths.local_sr, record_text(found))
    context.say(f"local storage repository {found.uuid} in the volume group {found.group}")
    return ""


def storage_missing(context: Context) -> bool:
    """Whether there shall be a local storage repository, and there is none yet."""
    try:
        record = read_record(context.paths.local_sr)
    except UserError:
        return True
    return record is not None and not record.group


STORAGE = Step("storage", "Local storage repository", lambda context: "1", _apply)
