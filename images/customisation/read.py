"""Reads ``zeroth-image.yaml`` and finds its sources; everything that is wrong is told at once, each at its place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from images.customisation.model import ImageSpec
from images.customisation.prepared import Customisation, PlacedFile
from images.customisation.sources import Sources
from images.packages import firmware_sets
from zeroth.spec.answer import AnswerText
from zeroth.spec.document import Document
from zeroth.spec.errors import FileErrors
from zeroth.spec.problems import Problem, Severity, closest
from zeroth.spec.validate import Rules, checked_by
from zeroth.spec.yaml_text import read_yaml

__all__ = ["parse_customisation", "read_customisation"]

_EXAMPLE = "packages: [tcpdump]"
_RULES = Rules(
    ImageSpec,
    f"an image's settings are a group, such as {_EXAMPLE}",
    {
        "boot.dom0": "One word each, as in: dom0: [console=ttyS1, debug]",
        "boot.medium": "One word each, as in: medium: [debug]",
        "boot.xen": "One word each, as in: xen: [iommu=verbose]",
        "branding.product": "As in: product: Example Cloud Host",
        "debs": "A list of paths, as in: debs: [debs/agent_1.0_amd64.deb]",
        "files": "Each entry has a target, and a source or its content.",
        "files.mode": "Permissions only: what takes another user's rights comes in a package.",
        "files.owner": "A user, or user:group, that the image has.",
        "files.target": "The full path on a host, as in /etc/motd.",
        "locales": "As in de_DE.UTF-8.",
        "modules.block": "A module's name, as modinfo takes it.",
        "modules.initrd": "A module's name, as modinfo takes it.",
        "packages": "As in tcpdump, or tcpdump=4.99.5-2 for one version.",
        "system_ids": "As in: system_ids: {zabbix: 850}",
    },
    {"files.owner": "user, or user:group", "locales": "locale with UTF-8", "modules.block": "kernel module's name",
     "modules.initrd": "kernel module's name"},
    ("variables",),
)  # fmt: skip
_LOADED = "/usr/share/initramfs-tools/modules.d/zeroth-own"
_BLOCKED = "/usr/lib/modprobe.d/zeroth-own.conf"
_IDS = "/usr/lib/zeroth/own-ids.conf"


def read_customisation(path: Path, packages: Path, *, name: str = "") -> Customisation:
    """Read the file, render its templates, and look at every file that it names.

    :param packages: the folder of our package lists.
    :param name: what the file is called in messages.
    :raises FileErrors: there are errors; it carries all of them.
    :raises UserError: it cannot be opened.
    """
    answer = AnswerText.from_file(path)
    return parse_customisation(answer.text, path.parent, packages, name or str(path))


def parse_customisation(text: str, folder: Path, packages: Path, name: str) -> Customisation:
    """As :func:`read_customisation`, from the text of a file that would lie in ``folder``."""
    document = read_yaml(text, _EXAMPLE)
    spec, problems = checked_by(_RULES, document)
    if spec is None:
        raise FileErrors(name, problems, text)
    problems += _unknown_firmware(spec, document, firmware_sets(packages))
    sources = Sources(folder, document)
    files = (*sources.files(spec.files, spec.variables), *_settings(spec))
    debs, elements = sources.debs(spec.debs), sources.elements(spec.elements)
    problems += sources.problems
    problems += _twice_placed(files, document)
    if any(problem.severity is Severity.ERROR for problem in problems):
        raise FileErrors(name, problems, text)
    return Customisation(name, text, document, spec, files, debs, elements, tuple(problems))


def _unknown_firmware(spec: ImageSpec, document: Document, known: Iterable[str]) -> list[Problem]:
    names = sorted(known)
    found = []
    for at, name in enumerate(spec.firmware or ()):
        if name not in names:
            guess = closest(name, names)
            hint = f"Did you mean {guess}?" if guess else f"There are: {', '.join(names)}."
            way = ("firmware", at)
            found.append(Problem(f"no firmware set is called {name!r}", hint, document.place(way), field="firmware"))
    return found


def _settings(spec: ImageSpec) -> Sequence[PlacedFile]:
    """The files that settings become."""
    texts = {}
    if spec.modules.initrd:
        texts[_LOADED] = "".join(f"{name}\n" for name in spec.modules.initrd)
    if spec.modules.block:
        # blacklist stops aliases, install stops who asks by name (modprobe.d(5)).
        texts[_BLOCKED] = "".join(f"blacklist {name}\ninstall {name} /bin/false\n" for name in spec.modules.block)
    if spec.locales:
        texts["/etc/locale.gen"] = "".join(f"{name} UTF-8\n" for name in spec.locales)
    if spec.system_ids:
        texts[_IDS] = "".join(f"u {name} {number}\n" for name, number in spec.system_ids.items())
    branding = spec.branding
    if "product" in branding.model_fields_set:
        texts["/usr/lib/zeroth/product"] = f"{branding.product}\n"
        texts["/etc/issue"] = f"{branding.product} \\l\n\n"
    if branding.issue is not None:
        texts["/etc/issue"] = branding.issue if branding.issue.endswith("\n") else f"{branding.issue}\n"
    return [PlacedFile(target, text.encode()) for target, text in sorted(texts.items())]


def _twice_placed(files: Sequence[PlacedFile], document: Document) -> list[Problem]:
    """What a folder, or a setting, puts where something else goes."""
    seen: set[str] = set()
    found = []
    for file in files:
        if file.target in seen:
            message = f"{file.target} would be written twice: by a file, and by a folder or another setting"
            found.append(Problem(message, "Leave out one of the two.", document.place(("files",)), field="files"))
        seen.add(file.target)
    return found
