"""Writing into the areas that the builder reserved: a copy of the image in which a few bytes are others."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from typing import BinaryIO

from images.iso.content import patches
from images.iso.layout import CHUNK, Iso
from zeroth.errors import ExitCode, UserError
from zeroth.progress import Step
from zeroth.spec.embedded import Embedded
from zeroth.system.files import fsync_directory

__all__ = ["embed"]


def embed(iso: Iso, target: Path, content: Embedded, step: Step) -> None:
    """Write the image with ``content`` in the place of what is embedded in it.

    ``target`` is whole or not there (or, if it is the image itself, the old one) whatever happens meanwhile. It is
    always a new file: images of a build share their bytes with its store. Only its owner may read it when it holds
    anything, for an answer is a secret.

    :raises UserError: when it does not fit, or the disk is full.
    """
    parts = patches(iso, content)
    folder = target.parent
    try:
        handle, name = tempfile.mkstemp(dir=folder, prefix=f".{target.name}.")
    except OSError as error:
        raise _failed(target, error) from None
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as out, iso.path.open("rb") as image:
            _copy(image, out, iso.size, step)
            for start, data in parts.items():
                out.seek(start)
                out.write(data)
            out.flush()
            os.fchmod(out.fileno(), 0o644 if content == Embedded() else 0o600)
            os.fsync(out.fileno())
        draft.replace(target)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise _failed(target, error) from None
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    fsync_directory(folder)


def _copy(image: BinaryIO, out: BinaryIO, size: int, step: Step) -> None:
    done = 0
    while chunk := image.read(CHUNK):
        out.write(chunk)
        done += len(chunk)
        step.update(done, of=size)


def _failed(target: Path, error: OSError) -> UserError:
    hint = "Make room, or name a file on another disk." if error.errno == errno.ENOSPC else "Check the path."
    return UserError(f"cannot write it: {error.strerror}", hint, where=str(target), code=ExitCode.MACHINE)
