"""The reader: a kickstart text on standard input, JSON on standard output.

A process of its own, see docs/decisions/0001-licence.md. Nothing here or below may load an Apache-2.0 library.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import traceback
from types import TracebackType

from zeroth.spec.kickstart.bar import bar_requests, spare_commands

_MEMORY = 1 << 30
_CPU_SECONDS = 60  # an emulated machine is twenty times slower


def _report_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Where it happened and what kind, but not what the error says: that may quote the answer, with its secrets."""
    sys.stderr.write("".join(traceback.format_tb(trace)) + kind.__name__ + "\n")


def main() -> None:
    """Read, parse, print."""
    sys.excepthook = _report_bug
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    bar_requests()
    spare_commands()
    # It ends before there is anything worth collecting.
    gc.disable()
    from zeroth.spec.kickstart.parser import read  # only after requests is barred

    text = sys.stdin.buffer.read().decode("utf-8")
    json.dump(read(text).as_json(), sys.stdout)
    gc.freeze()


if __name__ == "__main__":
    main()
