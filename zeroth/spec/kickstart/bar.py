"""Keeps out of the reader's process what it must not or need not load: ``requests``, and most of pykickstart.

pykickstart imports it to follow ``%include`` of an address. Its licence (Apache-2.0) does not combine with that of
pykickstart (GPL version 2 only), and an answer file shall not make its reader reach the network.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import NoReturn

__all__ = ["bar_requests", "spare_commands"]


class _Barred(Exception):
    """Stands in for the exceptions of ``requests``."""


def bar_requests() -> None:
    """Put a stand-in in the place of ``requests``; whatever is called in it raises."""
    requests, exceptions = ModuleType("requests"), ModuleType("requests.exceptions")

    def get(*_args: object, **_kwargs: object) -> NoReturn:
        raise _Barred("the kickstart reader does not reach the network")

    vars(requests).update(get=get, exceptions=exceptions)
    vars(exceptions).update(SSLError=_Barred, RequestException=_Barred)
    sys.modules.update({"requests": requests, "requests.exceptions": exceptions})


def spare_commands() -> None:
    """Load only those modules of ``pykickstart.commands`` that are asked for. By itself the package loads all of its
    hundred and more, which takes as long as everything else that the reader loads.
    """
    found = find_spec("pykickstart")
    package = ModuleType("pykickstart.commands")
    package.__path__ = [str(Path(place) / "commands") for place in (found and found.submodule_search_locations) or ()]
    sys.modules["pykickstart.commands"] = package
