"""In words: storage repositories besides the local one."""

from __future__ import annotations

from collections.abc import Sequence

from zeroth.spec.explain.disks import disk_words
from zeroth.spec.explain.words import Rows, listed, sentences
from zeroth.spec.model import (
    Content,
    DrbdStorage,
    IscsiStorage,
    LocalStorage,
    NfsStorage,
    Ocfs2Storage,
)

__all__ = ["storage_rows"]

_Storage = LocalStorage | NfsStorage | IscsiStorage | Ocfs2Storage | DrbdStorage
_DRBD = {
    "A": "a write is done when it is on this disk",
    "B": "a write is done when it has reached the other host",
    "C": "a write is done when it is on both disks",
}


def storage_rows(storage: Sequence[_Storage]) -> Rows:
    """One row a repository."""
    return [(f"Storage {sr.name}", sentences(*_one(sr), "new disks go here" if sr.default else "")) for sr in storage]


def _one(sr: _Storage) -> list[str]:
    match sr:
        case LocalStorage():
            erased = "EVERYTHING there is erased" if sr.wipe else "nothing may be there"
            return [f"{sr.format} on {listed(map(disk_words, sr.disks))}", erased]
        case NfsStorage():
            what = "ISO images" if sr.content is Content.ISO else "disks"
            return [f"{what} on {sr.server}:{sr.path} by NFS {sr.version}",
                    f"mounted with {sr.options}" if sr.options else ""]  # fmt: skip
        case IscsiStorage():
            chap = f"as {sr.username}, with a password (CHAP)" if sr.username else ""
            return [f"iSCSI target {sr.target}, LUN {sr.lun}, at {listed(sr.portals)} port {sr.port}", chap, _made(sr)]
        case Ocfs2Storage():
            nodes = listed(f"{node.name} ({node.address})" for node in sr.nodes)
            return [
                f"OCFS2 cluster {sr.cluster} on {disk_words(sr.disk)}",
                f"hosts {nodes}, at most {sr.slots}" if nodes else f"at most {sr.slots} hosts",
                f"{sr.heartbeat} heartbeat, a host resets itself after {sr.threshold} missed beats", _made(sr),
            ]  # fmt: skip
    here = f"from {sr.address} " if sr.address else ""
    return [
        f"DRBD of {disk_words(sr.disk)} {here}to {sr.peer.name} ({sr.peer.address}) port {sr.port}",
        f"protocol {sr.protocol}: {_DRBD[sr.protocol]}", _made(sr),
    ]  # fmt: skip


def _made(sr: IscsiStorage | Ocfs2Storage | DrbdStorage) -> str:
    if sr.wipe:
        return "made new where there is none: EVERYTHING else there is erased"
    return "made new where there is none and nothing else" if sr.create else "it must be there already"
