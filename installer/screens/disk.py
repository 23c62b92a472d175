"""The page on which the disk is chosen, with what is on each."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from textual.widget import Widget

from installer.screens.base import KEYS, Shown, plain
from installer.screens.form import Page
from installer.screens.widgets import Reader, Rows
from installer.show import carries, identity
from zeroth.system.facts import DiskFacts
from zeroth.system.size import Size

__all__ = ["DiskScreen"]

_MOST_ROWS = 6


class DiskScreen(Shown):
    """A list of the disks; below it, all that is known of the one under the cursor."""

    DEFAULT_CSS = """
    DiskScreen #details { margin: 1 0 0 0; }
    """
    keys = KEYS.replace("Enter: choose", "Space: mark")

    def __init__(self, page: Page, step: str) -> None:
        super().__init__(f"{step}{page.title}", page.intro)

    @property
    def disks(self) -> tuple[DiskFacts, ...]:
        """Those of the machine."""
        return self.front.state.facts.disks

    def content(self) -> Iterator[Widget]:
        """The list and the details."""
        self.marks = [disk.path for disk in self.front.state.choice().legs]
        rows = Rows([_row(disk) for disk in self.disks], key="disks", marked=self._marked)
        rows.styles.height = max(1, min(_MOST_ROWS, len(self.disks)))
        if self.marks:
            rows.cursor = [disk.path for disk in self.disks].index(self.marks[0])
        yield rows
        yield Reader(self._details(rows.cursor), key="details")

    def on_mount(self) -> None:
        """Begin on the list."""
        super().on_mount()
        self.explain("Space marks a disk; two marked disks become a mirror. "
                     "What is on a disk is destroyed only when the last page says so and you agree.")  # fmt: skip
        if len(self.disks) > _MOST_ROWS:
            self.tell(f"This machine has {len(self.disks)} disks; the arrows show the others.")
        if not self.disks:
            self.tell("No disk was found in this machine. Is its controller set to RAID or VMD in the firmware?")

    def on_rows_moved(self, _: Rows.Moved) -> None:
        """Show the details."""
        rows = self.query_one("#disks", Rows)
        self.query_one("#details", Reader).show(self._details(rows.cursor))

    def on_rows_marked(self, _: Rows.Marked) -> None:
        """Mark, or take the mark away."""
        if not self.disks:
            return
        disk = self.disks[self.query_one("#disks", Rows).cursor]
        if disk.path in self.marks:
            self.marks.remove(disk.path)
        elif disk.medium:
            self.tell("This is what the installer was started from: it cannot be installed on.")
        else:
            self.marks.append(disk.path)
            self.tell("")

    def on_rows_pressed(self, _: Rows.Pressed) -> None:
        """Enter takes the disk under the cursor where none is marked, and goes on."""
        if self.disks and not self.marks:
            self.on_rows_marked(Rows.Marked())
        self.action_next()

    def action_next(self) -> None:
        """Go on with the marked disks."""
        state = self.front.state
        if len(self.marks) not in (1, 2):
            why = "mark the disk to install on" if not self.marks else "at most two disks make a mirror"
            self.tell(f"Not yet: {why} (Space marks it).")
            self.query_one("#disks").focus()
            return
        # Named, whatever took it so far: what fits today may be another disk tomorrow.
        said = state.draft.get(("disk", "select"))
        if not said or self.marks != [disk.path for disk in state.choice().legs]:
            by_path = {disk.path: disk for disk in self.disks}
            state.take_disks([by_path[path] for path in self.marks])
        self.front.go_on()

    def action_back(self) -> None:
        """Go back."""
        self.front.go_back()

    def _marked(self, number: int) -> bool:
        return self.disks[number].path in self.marks

    def _details(self, number: int) -> str:
        if not self.disks:
            return ""
        disk = self.disks[number]
        media = "turning" if disk.rotational else "solid state"
        lines = [
            f"{disk.path}: {Size(disk.size).approx()}, {identity(disk)}",
            f"{media}, sectors of {disk.logical_sector} bytes",
        ]
        notes = ["the installer was started from it"] if disk.medium else []
        notes += [*disk.in_use, *disk.contents]
        lines += ["It is empty." if not notes else "It carries:"]
        for note in notes:
            lines += wrap(plain(note), 74, initial_indent="  - ", subsequent_indent="    ")
        return "\n".join(lines)


def _row(disk: DiskFacts) -> str:
    # A WWID would fill half of the line; the details have it.
    name = (disk.paths or (disk.path,))[0].removeprefix("/dev/") + (f" +{len(disk.paths) - 1}" if disk.paths else "")
    first = carries(disk)
    return f"{name:<10} {Size(disk.size).approx():>9}  {identity(disk)[:26]:<26}  {first}"
