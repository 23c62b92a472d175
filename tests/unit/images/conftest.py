"""What the tests of the builder share."""

from __future__ import annotations

import os

import pytest

from images.build import existing_tools
from images.config import BuildConfig, checkout
from images.tools import ToolsTree


@pytest.fixture(scope="module")
def tools() -> ToolsTree:
    found = existing_tools(BuildConfig(checkout())) if os.geteuid() == 0 else None
    if found is None:
        pytest.skip("needs root, and the tools tree of a build")
    return found
