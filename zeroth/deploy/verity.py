"""The tree of hashes behind a root image (dm-verity): one hash vouches for every block that is ever read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zeroth.errors import ExitCode, UserError
from zeroth.system.size import GIB

__all__ = ["ROOT_TREE", "RootTree", "read_root_tree", "verity_arguments", "write_root_tree"]

ROOT_TREE = "root.verity"
"""On a medium: the file beside the root image that tells where its tree of hashes is."""
_LIMIT = 4096


class RootTree(BaseModel):
    """The tree of hashes that the root image carries behind its data (dm-verity).

    :ivar root_hash: vouches for every block.
    :ivar hash_offset: where the data ends and the tree begins, bytes.
    """

    # Unknown fields are passed over: a later builder may tell more, under the same signature.
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    root_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    hash_offset: Annotated[int, Field(ge=4096, le=int(8 * GIB), multiple_of=4096)]


def read_root_tree(path: Path) -> RootTree:
    """Read the file that lies beside a root image.

    :raises UserError: when it is missing or malformed.
    """
    hint = "The image is incomplete: write the medium again."
    try:
        with path.open("rb") as file:
            return RootTree.model_validate_json(file.read(_LIMIT))
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", hint, where=str(path), code=ExitCode.MACHINE) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "as a whole"
        message = f"tells no tree of hashes: {place}: {first['msg']}"
        raise UserError(message, hint, where=str(path), code=ExitCode.MACHINE) from None


def write_root_tree(path: Path, tree: RootTree) -> None:
    """Write that file; the same bytes for the same tree."""
    path.write_text(json.dumps(tree.model_dump(mode="json"), sort_keys=True) + "\n")


def verity_arguments(tree: RootTree) -> tuple[str, ...]:
    """The kernel arguments by which the initrd opens a root image: what stands on them is what is trusted."""
    return (f"zeroth.roothash={tree.root_hash}", f"zeroth.hash_offset={tree.hash_offset}")
