"""A web server of this machine for lab machines: one folder, and a list of what was asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

__all__ = ["WebServer", "serving"]


class WebServer(ThreadingHTTPServer):
    """It listens on a free port of 127.0.0.1.

    :ivar asked: the paths that were asked for, with the status of the answer, in order.
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))
        self.asked: list[tuple[str, int]] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])


class _Handler(SimpleHTTPRequestHandler):
    server: WebServer

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Note the request; nothing is printed."""
        self.server.asked.append((self.path, int(code)))

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def serving(folder: Path) -> Iterator[WebServer]:
    """A web server of a folder, for the time of the block."""
    with WebServer(folder) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
