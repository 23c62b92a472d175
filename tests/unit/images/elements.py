"""The programs that our elements run in the tree, as modules."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

__all__ = ["tool"]

ELEMENTS = Path(__file__).parents[3] / "images" / "elements"


def tool(element: str, name: str) -> ModuleType:
    """Import a program of an element."""
    spec = importlib.util.spec_from_file_location(name, ELEMENTS / element / f"{element}-tools" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
