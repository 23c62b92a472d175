"""The model of ``zeroth-image.yaml``: what an image holds beyond, or otherwise than, ours."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, JsonValue, model_validator
from pydantic_core import PydanticCustomError

from images.config import PRODUCT
from images.customisation.fields import (
    BootWord,
    FileMode,
    Locale,
    ModuleName,
    Owner,
    PackageWish,
    ProductName,
    SourcePath,
    SystemName,
    TargetPath,
    XenWord,
    split_wish,
)
from zeroth.spec.model import CONFLICTS, Conflict
from zeroth.spec.model.base import Model, Switch

__all__ = ["FIRST_SYSTEM_ID", "LAST_SYSTEM_ID", "Boot", "Branding", "FileEntry", "ImageSpec", "Modules", "conflicts"]

FIRST_SYSTEM_ID, LAST_SYSTEM_ID = 850, 949
"""Ids of system users for packages that a user adds; ours are below (see 00-zeroth-ids.conf)."""


class FileEntry(Model):
    """A file, or a folder of files, that the image gets.

    :ivar source: path relative to this file; or else ``content``, the text itself.
    :ivar target: where it lies on a host.
    :ivar mode: 0644 unless told; in a folder, and of a source that can be executed, 0755 for what can be executed.
    :ivar owner: user, or user:group, that the image knows.
    :ivar template: the text is rendered by Jinja2 with ``variables``.
    """

    target: TargetPath
    source: SourcePath | None = None
    content: Annotated[str, Field(max_length=1 << 16)] | None = None
    mode: FileMode | None = None
    owner: Owner = "root"
    template: Switch = False

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if (self.source is None) == (self.content is None):
            raise ValueError("a file has either a source or its content")
        return self


class Modules(Model):
    """Kernel modules.

    :ivar initrd: drivers that the initrd has besides ours, and loads.
    :ivar block: never loaded, whatever asks for them.
    """

    initrd: Annotated[tuple[ModuleName, ...], Field(max_length=100)] = ()
    block: Annotated[tuple[ModuleName, ...], Field(max_length=100)] = ()


class Boot(Model):
    """Words on boot command lines; those of an answer follow them, so they win.

    :ivar xen: of the hypervisor of installed hosts.
    :ivar dom0: of domain 0's kernel of installed hosts.
    :ivar medium: of the installer's kernel, on the medium and from the network.
    """

    xen: Annotated[tuple[XenWord, ...], Field(max_length=32)] = ()
    dom0: Annotated[tuple[BootWord, ...], Field(max_length=32)] = ()
    medium: Annotated[tuple[BootWord, ...], Field(max_length=32)] = ()


class Branding(Model):
    """What the product is called where people see it.

    :ivar product: in boot menus, in the installer's plan, and above login prompts.
    :ivar issue: text above login prompts, instead of the product's name; see agetty(8) for its escapes.
    """

    product: ProductName = PRODUCT
    issue: Annotated[str, Field(max_length=2000)] | None = None


class ImageSpec(Model):
    """An image's own settings.

    :ivar packages: Debian packages, as ``name`` or ``name=version``.
    :ivar debs: package files, by path relative to this file.
    :ivar variables: for templates.
    :ivar elements: folders in diskimage-builder's form, by path relative to this file; they run after ours.
    :ivar locales: that programs can use, besides C.UTF-8.
    :ivar firmware: sets by name; when not given, release images have ``server``.
    :ivar system_ids: of system users that added packages make, from 850 to 949, the same in every image that you make.
    """

    branding: Branding = Branding()
    packages: Annotated[tuple[PackageWish, ...], Field(max_length=500)] = ()
    debs: Annotated[tuple[SourcePath, ...], Field(max_length=100)] = ()
    files: Annotated[tuple[FileEntry, ...], Field(max_length=500)] = ()
    variables: dict[str, JsonValue] = Field(default_factory=dict)
    elements: Annotated[tuple[SourcePath, ...], Field(max_length=20)] = ()
    modules: Modules = Modules()
    boot: Boot = Boot()
    locales: Annotated[tuple[Locale, ...], Field(max_length=50)] = ()
    firmware: tuple[str, ...] | None = None
    system_ids: dict[SystemName, Annotated[int, Field(strict=True, ge=FIRST_SYSTEM_ID, le=LAST_SYSTEM_ID)]] = Field(
        default_factory=dict
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        conflicts([
            *_twice("packages", [split_wish(wish)[0] for wish in self.packages]),
            *_twice("debs", self.debs),
            *_twice("elements", self.elements),
            *_twice("locales", self.locales),
            *_same_target(self.files),
            *_both(self.modules),
            *_ids(self.system_ids),
            *_variables(self.variables),
        ])  # fmt: skip
        return self


def conflicts(found: list[Conflict]) -> None:
    """Refuse a model for what does not go together, each at its place.

    :raises PydanticCustomError: when anything was found.
    """
    if found:
        context: dict[str, Any] = {"text": found[0].message, CONFLICTS: found}
        raise PydanticCustomError(CONFLICTS, "{text}", context)


def _twice(name: str, items: list[str] | tuple[str, ...]) -> list[Conflict]:
    return [Conflict((name, at), f"{item} is named twice") for at, item in enumerate(items) if item in items[:at]]


def _same_target(files: tuple[FileEntry, ...]) -> list[Conflict]:
    targets = [entry.target for entry in files]
    found = [
        Conflict(("files", at, "target"), f"{target} is the target of two files")
        for at, target in enumerate(targets)
        if target in targets[:at]
    ]
    for at, target in enumerate(targets):
        above = [other for other in targets if target.startswith(f"{other}/") and files[targets.index(other)].content]
        if above:
            found.append(Conflict(("files", at, "target"), f"{above[0]} is a file, so nothing can lie below it"))
    return found


def _both(modules: Modules) -> list[Conflict]:
    blocked = {name.replace("-", "_") for name in modules.block}
    return [
        Conflict(("modules", "initrd", at), f"{name} is to be loaded and to be blocked")
        for at, name in enumerate(modules.initrd)
        if name.replace("-", "_") in blocked
    ]


def _ids(ids: dict[str, int]) -> list[Conflict]:
    numbers = list(ids.values())
    return [
        Conflict(("system_ids", name), f"the id {number} is given twice")
        for at, (name, number) in enumerate(ids.items())
        if number in numbers[:at]
    ]


def _variables(variables: dict[str, Any]) -> list[Conflict]:
    return [
        Conflict(("variables", name), f"{name!r} cannot be used in a template: a name has letters, digits and _")
        for name in variables
        if not name.isidentifier()
    ]
