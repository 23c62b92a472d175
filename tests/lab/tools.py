"""The programs the lab runs: QEMU 10, OVMF, mtools and xorriso of the image builder's pinned tools tree.

With them the lab's results do not depend on the build machine's release.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from images.build import tools_tree
from images.tools import ToolsTree
from tests.lab.paths import CACHE, ISO
from zeroth.errors import UserError
from zeroth.progress import Stream
from zeroth.sinks import PlainSink
from zeroth.system.run import Completed, run

__all__ = ["Tools", "tools"]

_lock = threading.Lock()
_found: list[Tools] = []


@dataclass(frozen=True)
class Tools:
    """Programs that see the lab's own folder and the medium, at the same paths as everybody."""

    tree: ToolsTree

    def argv(self, command: Sequence[str | Path], *, show: Sequence[Path] = ()) -> list[str]:
        """What to start to run a program of the tree; it sees the folders ``show`` as well."""
        return self.tree.argv(command, show=[CACHE, ISO.parent, self._firmware, *show])

    def run(self, *command: str | Path, show: Sequence[Path] = ()) -> Completed:
        """Run a program of the tree to its end."""
        return run(self.argv(command, show=show))

    @property
    def code(self) -> Path:
        """OVMF's program, read-only flash."""
        return self._firmware / "OVMF_CODE_4M.fd"

    @property
    def secure_code(self) -> Path:
        """OVMF's program that knows Secure Boot."""
        return self._firmware / "OVMF_CODE_4M.secboot.fd"

    @property
    def variables(self) -> Path:
        """OVMF's empty variables, to be copied."""
        return self._firmware / "OVMF_VARS_4M.fd"

    @property
    def _firmware(self) -> Path:
        return self.tree.path("usr/share/OVMF")


def tools() -> Tools:
    """The tools of this checkout; the tree is made when it is not there.

    :raises UserError: when it cannot be made.
    """
    with _lock:
        if not _found:
            CACHE.mkdir(parents=True, exist_ok=True)
            ISO.parent.mkdir(exist_ok=True)
            found = Tools(tools_tree(Stream([PlainSink(sys.stderr)])))
            if not found.code.is_file():
                raise UserError(f"the tools tree has no {found.code.name}", "Run `make clean` and `make iso`.")
            _found.append(found)
        return _found[0]
