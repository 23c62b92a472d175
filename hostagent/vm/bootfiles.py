"""Which files of domain 0 a guest's kernel may come from.

``PV_kernel`` and ``PV_ramdisk`` are set by API users and opened by root, so only regular files below two folders are
let through: one for the administrator to fill, one that belongs to the image. Both belong to root and nobody else can
write them, so what was checked is still there when libvirt opens it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hostagent.xenapi.errors import ApiError

__all__ = ["BOOT_FOLDERS", "BootFiles"]

BOOT_FOLDERS: Final = (Path("/var/lib/zeroth/boot"), Path("/usr/lib/zeroth/guest"))


@dataclass(frozen=True)
class BootFiles:
    """The allow-list.

    :ivar folders: files anywhere below these may be booted.
    """

    folders: Sequence[Path] = BOOT_FOLDERS

    def check_name(self, field: str, value: str) -> None:
        """Refuse a path that could never be allowed, when it is set. The file need not be there yet.

        :raises ApiError: VALUE_NOT_SUPPORTED [field, value, reason].
        """
        if not value:
            return
        if not value.startswith("/") or "\0" in value or len(value) > os.pathconf("/", "PC_PATH_MAX"):
            raise ApiError("VALUE_NOT_SUPPORTED", field, value, "not an absolute path")
        # Judged by its letters, as a client may name a link that leads into the folder later on.
        if not self._inside(Path(os.path.normpath(value)), self.folders):
            raise ApiError("VALUE_NOT_SUPPORTED", field, value, f"only files below {self._named()} may be booted")

    def resolve(self, field: str, value: str) -> Path:
        """The real file to boot, when a VM starts.

        :raises ApiError: VALUE_NOT_SUPPORTED [field, value, reason], when there is no such regular file, or links lead
            out of the folders.
        """
        self.check_name(field, value)
        try:
            real = Path(value).resolve(strict=True)
            regular = real.is_file()
        except OSError as error:
            raise ApiError("VALUE_NOT_SUPPORTED", field, value, error.strerror or "no such file") from None
        except RuntimeError:  # links in a circle, before Python 3.13
            raise ApiError("VALUE_NOT_SUPPORTED", field, value, "too many links") from None
        if not self._inside(real, [folder.resolve() for folder in self.folders]):
            raise ApiError("VALUE_NOT_SUPPORTED", field, value, f"the link leads out of {self._named()}")
        if not regular:
            raise ApiError("VALUE_NOT_SUPPORTED", field, value, "not a regular file")
        return real

    def _named(self) -> str:
        return " or ".join(str(folder) for folder in self.folders)

    @staticmethod
    def _inside(path: Path, folders: Sequence[Path]) -> bool:
        return any(folder in path.parents for folder in folders)
