"""The steps of a build and what goes into each."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version as library
from pathlib import Path
from typing import TYPE_CHECKING

from images.bootstrap import bootstrap
from images.config import COMPONENTS, PRODUCT, SUITE, BuildConfig, Profile, image_release, released_name
from images.customise import CUSTOMISE_ELEMENT, ELEMENTS, customise
from images.finish import INSTALL_WHEEL, finish
from images.graph import Results, Step
from images.index import PackageIndex
from images.inputs import digest_code, digest_file, digest_text, digest_tree, files_below
from images.licences import Licences, read_licences
from images.log import BuildLog
from images.manifest import dpkg_status, image_manifest, write_json
from images.media import answer_files, make_iso
from images.netboot import netboot_files
from images.pack import BLOCK_SIZE, boot_files, root_image
from images.packages import LEFT_OUT, SERVER_FIRMWARE, PackageList, firmware_sets, read_list
from images.pool import PackagePool
from images.releases import installed_archives, releases
from images.secureboot.make import MEDIUM_LOADER, ON_MEDIUM, UPGRADED
from images.secureboot.step import from_signed, signed_step
from images.tools import ToolsTree
from images.upgrade import make_upgrade, upgrade_name
from images.wheels import NOT_IN_DEBIAN, ROOMS, locked, room_sources, room_wheel, third_party_wheels
from zeroth import progress
from zeroth.keys.secureboot import ProgramKey
from zeroth.keys.signing import SecretKey

if TYPE_CHECKING:
    from images.customisation.prepared import Customisation

__all__ = ["Steps"]

# The kernel's and many other packages' scripts would make an initrd each; an element of ours makes the only one.
_NO_INITRD = (
    '--essential-hook=chroot "$1" dpkg-divert --local --quiet --rename --add /usr/sbin/update-initramfs',
    '--essential-hook=ln -s ../bin/true "$1"/usr/sbin/update-initramfs',
)
_GIB = 1 << 30


@dataclass(frozen=True)
class Steps:
    """All steps of one build.

    :param config: what is built.
    :param log: gets what tools print.
    :param work: folder for temporary files.
    :param as_of: when the packages in use were chosen: they stay until the user asks for newer ones.
    :param index: the package index; called only when packages are installed.
    :param keys: the upgrade file is signed with them.
    :param customisation: what the user changes about the image.
    :param program_key: programs are signed with it for Secure Boot.
    """

    config: BuildConfig
    log: BuildLog
    work: Path
    as_of: str
    index: Callable[[], PackageIndex]
    keys: tuple[SecretKey, ...] = ()
    customisation: Customisation | None = None
    program_key: ProgramKey | None = None

    def tools_list(self) -> PackageList:
        """What the tools tree holds."""
        return read_list(self.config.packages / "tools.list")

    def image_list(self) -> PackageList:
        """What the image holds."""
        sets = firmware_sets(self.config.packages)
        packages = read_list(self.config.packages / "base.list")
        for name in self.firmware():
            packages += read_list(sets[name])
        return packages + self.customisation.packages if self.customisation else packages

    def firmware(self) -> tuple[str, ...]:
        """The sets of firmware in the image, by name."""
        own = self.customisation.spec.firmware if self.customisation else None
        if self.config.firmware is not None:
            return tuple(sorted({SERVER_FIRMWARE, *(own or ())})) if self.config.firmware else ()
        if own is not None:
            return own
        return (SERVER_FIRMWARE,) if self.config.profile is Profile.RELEASE else ()

    def tools(self) -> Step:
        """The tools tree."""
        packages = self.tools_list()

        def make(out: Path, _: Results, step: progress.Step) -> None:
            (out / "root").mkdir()
            self._bootstrap("tools", packages, out / "tree", step, "essential", LEFT_OUT)

        inputs = {
            "suite": SUITE, "packages": digest_text("\n".join(packages.names)), "form": "1", **self._snapshot()
        }  # fmt: skip
        return Step("tools", "Tools tree", inputs, make, space=_GIB)

    def base(self) -> Step:
        """The tree of packages."""
        packages, own = self.image_list(), self.customisation

        def make(out: Path, _: Results, step: progress.Step) -> None:
            self._bootstrap("base", packages, out / "tree", step, "apt", (*LEFT_OUT, *_NO_INITRD), own)
            if own:
                from images.customisation.tree_check import check_packages

                check_packages(own, out / "tree")
            index = self.index()
            write_json(out / "origin.json", {
                "as_of": self.as_of, "security": index.secure,
                "releases": [release.facts() for release in releases(index.lists)],
                "archives": installed_archives(dpkg_status(out / "tree"), index.archives),
            })  # fmt: skip

        inputs = {
            "suite": f"{SUITE} {' '.join(COMPONENTS)}",
            "packages": digest_text("\n".join(packages.names)),
            "packages as of": self.as_of,
            **self._snapshot(),
            "source date": str(self.config.epoch),
            "options": digest_text(repr((LEFT_OUT, _NO_INITRD))),
            "images/bootstrap.py": self._code("bootstrap.py"),
            "images/releases.py": self._code("releases.py"),
            **(own.package_inputs() if own else {}),
        }
        return Step("base", "Packages", inputs, make, space=3 * _GIB // 2)

    def rooms(self) -> Step:
        """Our own wheel."""

        def make(out: Path, _: Results, __: progress.Step) -> None:
            room_wheel(self.config.root, out, work=self.scratch("rooms"), epoch=self.config.epoch)

        inputs = {
            **{name: self._tree(path for path in room_sources(self.config.root) if _top(self.config, path) == name)
               for name in ("pyproject.toml", *ROOMS)},
            "source date": str(self.config.epoch),
        }  # fmt: skip
        return Step("rooms", "Wheel of the rooms", inputs, make)

    def wheels(self) -> Step:
        """Third parties' wheels."""

        def make(out: Path, _: Results, __: progress.Step) -> None:
            third_party_wheels(
                self.config.root, out, work=self.scratch("wheels"), epoch=self.config.epoch,
                pool=self.config.pool / "python", offline=self.config.offline,
            )  # fmt: skip

        inputs = {name: digest_text(locked(self.config.root, name)) for name in NOT_IN_DEBIAN}
        return Step("wheels", "Wheels that Debian lacks", {**inputs, "source date": str(self.config.epoch)}, make)

    def system(self) -> Step:
        """The customised tree: everything but our own wheel."""
        root, elements, own = self.config.root, self.config.elements, self.customisation
        ours = (*ELEMENTS, CUSTOMISE_ELEMENT) if own and own.tree_inputs() else ELEMENTS

        def make(out: Path, results: Results, step: progress.Step) -> None:
            work = self.scratch("system")
            if own:
                from images.customisation.tree_check import check_tree

                check_tree(own, results["base"] / "tree")
            stage = work / "stage"
            (stage / "wheel").mkdir(parents=True)
            for path in results["wheels"].iterdir():
                shutil.copy2(path, stage / "wheel" / path.name)
            for path in self._units():
                room = _top(self.config, path)
                target = stage / "units" / room / path.relative_to(root / room / "units")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, target)
            (stage / "release").write_text(image_release(self.config.version))
            if own:
                from images.customisation.stage import stage_elements, stage_files

                stage_files(own.files, stage / "customise")
                stage_elements(own.elements, work / "elements")
            names = (*ours, *(element.name for element in own.elements)) if own else ours
            customise(
                results["base"] / "tree", out / "tree", stage=stage, names=names,
                elements=(elements, work / "elements") if own else (elements,), shims=root / "images" / "shims",
                epoch=self.config.epoch, work=work / "dib", log=self.log.writer("system"),
                progress=lambda fraction, hook: step.update(fraction, message=hook),
            )  # fmt: skip

        inputs = {
            **{f"element {name}": self._tree(files_below(elements / name)) for name in ours},
            **self._own_tree_inputs(),
            "units": self._tree(self._units()),
            "version": self.config.version,
            "images/customise.py": self._code("customise.py"),
            "source date": str(self.config.epoch),
        }
        return Step("system", "Customised tree", inputs, make, (self.base(), self.wheels()), space=3 * _GIB // 2)

    def tree(self) -> Step:
        """The finished tree, which shares the files of the customised one: a change of ours costs seconds."""
        tool = self.config.elements / INSTALL_WHEEL

        def make(out: Path, results: Results, _: progress.Step) -> None:
            (wheel,) = results["rooms"].iterdir()
            finish(
                results["system"] / "tree", out / "tree", wheel=wheel, tool=tool, epoch=self.config.epoch,
                work=self.scratch("tree"), log=self.log.writer("tree"),
            )  # fmt: skip

        inputs = {
            "images/finish.py": self._code("finish.py"), "install_wheel.py": digest_code(tool),
            "source date": str(self.config.epoch),
        }  # fmt: skip
        return Step("tree", "Finished tree", inputs, make, (self.system(), self.rooms()), space=_GIB // 4)

    def root(self) -> Step:
        """The root image."""

        def make(out: Path, results: Results, step: progress.Step) -> None:
            root_image(
                results["tree"] / "tree", out, tools=ToolsTree(results["tools"]),
                level=self.config.profile.zstd_level, epoch=self.config.epoch, jobs=self.config.jobs,
                progress=step.update,
            )  # fmt: skip

        inputs = {
            "zstd level": str(self.config.profile.zstd_level), "block size": BLOCK_SIZE,
            "images/verity.py": self._code("verity.py"),
        }  # fmt: skip
        return Step("root", "Root image", inputs, make, (self.tree(), self.tools()), space=_GIB)

    def boot(self) -> Step:
        """Kernel, initrd and hypervisor."""

        def make(out: Path, results: Results, _: progress.Step) -> None:
            boot_files(results["system"] / "tree", out)

        return Step("boot", "Boot files", {}, make, (self.system(),))

    def netboot(self) -> Step:
        """What only netboot needs."""

        def make(out: Path, results: Results, _: progress.Step) -> None:
            netboot_files(results["system"] / "tree", out, tools=ToolsTree(results["tools"]))

        inputs = {"images/netboot.py": self._code("netboot.py")}
        return Step("netboot", "Netboot files", inputs, make, (self.system(), self.tools()))

    def licences(self) -> Step:
        """Licences of the packages."""

        def make(out: Path, results: Results, _: progress.Step) -> None:
            write_json(out / "licences.json", asdict(read_licences(results["base"] / "tree")))

        inputs = {"images/licences.py": self._code("licences.py"), "SPDX names": library("license-expression")}
        return Step("licences", "Licences", inputs, make, (self.base(),))

    def manifest(self) -> Step:
        """What the image is made of."""

        def make(out: Path, results: Results, _: progress.Step) -> None:
            made = {path.name: path for name in ("root", "boot") for path in results[name].iterdir()}
            origin = json.loads((results["base"] / "origin.json").read_text())
            wheels = [path for name in ("rooms", "wheels") for path in results[name].glob("*.whl")]
            document = image_manifest(
                results["tree"] / "tree", made, self.config, origin, _licences(results), wheels, self.firmware(),
                own.manifest() if own else None,
            )  # fmt: skip
            write_json(out / "manifest.json", document)

        own = self.customisation
        inputs = {"version": self.config.version, "form": self._code("manifest.py")}
        if own:
            inputs["customisation"] = digest_text(json.dumps(own.manifest(), sort_keys=True))
        needs = (self.base(), self.licences(), self.tree(), self.rooms(), self.wheels(), self.root(), self.boot())
        return Step("manifest", "Manifest", inputs, make, needs)

    def bills(self) -> Step:
        """The bills of materials, in SPDX and CycloneDX."""

        def make(out: Path, results: Results, _: progress.Step) -> None:
            # Their libraries take a second to import.
            from images.sbom import write_bills

            manifest = (results["manifest"] / "manifest.json").read_text()
            write_bills(out, released_name(self.config.version), manifest, _licences(results).texts)

        inputs = {
            "form": self._tree(files_below(self.config.root / "images" / "sbom")),
            **{name: library(name) for name in ("spdx-tools", "cyclonedx-python-lib")},
        }
        return Step("bills", "Bills of materials", inputs, make, (self.manifest(), self.licences()))

    def upgrade(self) -> Step:
        """The upgrade file."""

        def make(out: Path, results: Results, step: progress.Step) -> None:
            files = {path.name: path for name in ("root", "boot", "manifest") for path in results[name].iterdir()}
            files |= from_signed(results, UPGRADED)
            make_upgrade(out / upgrade_name(self.config.version), files, self.config, self.keys, step.update)

        inputs = {
            "images/upgrade.py": self._code("upgrade.py"),
            **{
                f"zeroth/deploy/{name}": self._code(f"../zeroth/deploy/{name}")
                for name in ("zup.py", "zup_header.py", "verity.py")
            },
            "keys": " ".join(key.public.name for key in self.keys),
        }
        needs = (self.root(), self.boot(), self.manifest(), *self._signed())
        return Step("upgrade", "Upgrade file", inputs, make, needs, space=_GIB)

    def iso(self) -> Step:
        """The ISO image."""
        answer = answer_files(self.config.answer)
        own = self.customisation.spec if self.customisation else None
        product, words = (own.branding.product, own.boot.medium) if own else (PRODUCT, ())

        def make(out: Path, results: Results, _: progress.Step) -> None:
            files = {
                f"zeroth/{path.name}": path
                for name in ("root", "boot", "manifest")
                for path in results[name].iterdir()
            }
            files |= {f"zeroth/{name}": path for name, path in from_signed(results, ON_MEDIUM).items()}
            make_iso(
                out / "zeroth.iso", {**files, **answer}, version=self.config.version, epoch=self.config.epoch,
                product=product, words=words, work=self.scratch("iso"), tools=ToolsTree(results["tools"]),
                loader=results["signed"] / MEDIUM_LOADER if "signed" in results else None,
            )  # fmt: skip

        inputs = {
            "version": self.config.version, "source date": str(self.config.epoch),
            "images/media.py": self._code("media.py"), "images/menu.py": self._code("menu.py"),
            "zeroth/spec/embedded.py": self._code("../zeroth/spec/embedded.py"),
            "menu": self._code("templates/grub.cfg.j2"), "product and words": " ".join((product, *words)),
            "answer": " ".join(f"{name} {digest_file(path)}" for name, path in answer.items()),
        }  # fmt: skip
        needs = (self.root(), self.boot(), self.manifest(), self.tools(), *self._signed())
        return Step("iso", "ISO image", inputs, make, needs, space=_GIB)

    def _signed(self) -> tuple[Step, ...]:
        if not self.program_key:
            return ()
        needs = (self.system(), self.root(), self.boot(), self.tools())
        return (signed_step(self.config, self.program_key, self.customisation, needs, self.scratch),)

    def _bootstrap(
        self, name: str, packages: PackageList, target: Path, step: progress.Step, variant: str,
        options: Sequence[str], own: Customisation | None = None,
    ) -> None:  # fmt: skip
        bootstrap(
            packages.names, target, index=self.index(), pool=PackagePool(self.config.pool),
            epoch=self.config.epoch, work=self.scratch(name), variant=variant, options=options,
            log=self.log.writer(name), progress=step.update,
            debs={deb.file_name: deb.path for deb in own.debs} if own else {},
            preferences=own.preferences if own else "",
        )  # fmt: skip

    def _own_tree_inputs(self) -> dict[str, str]:
        found = self.customisation.tree_inputs() if self.customisation else {}
        return {**found, "images/customisation/stage.py": self._code("customisation/stage.py")} if found else {}

    def _snapshot(self) -> dict[str, str]:
        """Which packages are wanted, when they are not just those of the first build."""
        return {"snapshot": self.config.snapshot.stamp} if self.config.snapshot else {}

    def _units(self) -> list[Path]:
        return [path for room in ROOMS for path in files_below(self.config.root / room / "units")]

    def scratch(self, name: str) -> Path:
        """An empty folder for temporary files, removed with the build."""
        folder = self.work / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def _code(self, name: str) -> str:
        path = self.config.root / "images" / name
        return digest_code(path) if path.suffix == ".py" else digest_file(path)

    def _tree(self, paths: Iterable[Path]) -> str:
        return digest_tree(self.config.root, paths)


def _licences(results: Results) -> Licences:
    return Licences(**json.loads((results["licences"] / "licences.json").read_text()))


def _top(config: BuildConfig, path: Path) -> str:
    return path.relative_to(config.root).parts[0]
