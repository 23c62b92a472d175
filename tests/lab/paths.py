"""Where the lab finds and keeps things."""

from __future__ import annotations

from pathlib import Path

__all__ = ["CACHE", "ISO", "LAB", "RESULTS", "ROOT"]

ROOT = Path(__file__).parents[2]
LAB = Path(__file__).parent
ISO = ROOT / "dist" / "zeroth.iso"
CACHE = ROOT / ".cache" / "lab"
"""Golden disks, memory snapshots, the test key, and the work folders of running scenarios."""
RESULTS = LAB / "results"
"""What a failed scenario left: serial log, screen, QEMU's own log, list of disks. Not in git."""
