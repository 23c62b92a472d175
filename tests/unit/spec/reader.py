"""The kickstart reader kept running, so that thousands of texts can be read in seconds.

It runs the same code in the same kind of process as the product does, one process for many texts.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from zeroth.spec.document import Document
from zeroth.spec.kickstart.client import document_from

_LOOP = """
import json, sys
from zeroth.spec.kickstart.bar import bar_requests
bar_requests()
from zeroth.spec.kickstart.parser import read
for line in sys.stdin:
    print(json.dumps(read(json.loads(line)).as_json()), flush=True)
"""


class KeptReader:
    """Reads one text after another."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def read(self, text: str) -> Document:
        """Read a kickstart text; fails when the reader dies."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(text) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"the reader died of {text!r}"
        return document_from(answer)


@contextmanager
def kept_reader() -> Iterator[KeptReader]:
    """Start the reader, end it afterwards."""
    with subprocess.Popen(
        [sys.executable, "-P", "-c", _LOOP], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        try:
            yield KeptReader(process)
        finally:
            assert process.stdin
            process.stdin.close()
            process.wait(20)
