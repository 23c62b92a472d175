"""``zeroth-image.yaml``: read and checked; what it changes about the steps; what it hands to the tree."""

from __future__ import annotations

import io
import json
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from images.config import BuildConfig, Profile, checkout
from images.customisation.fields import forbidden
from images.customisation.pins import check_pins
from images.customisation.prepared import Customisation
from images.customisation.read import parse_customisation, read_customisation
from images.customisation.stage import hook_name, stage_elements
from images.customisation.tree_check import check_packages, check_tree
from images.customise import element_hooks
from images.log import BuildLog
from images.menu import entries
from images.steps import Steps
from tests.unit.expect import check_refusal
from zeroth.cli import run_cli
from zeroth.errors import ExitCode
from zeroth.spec.errors import FileErrors
from zeroth.spec.yaml_text import write_yaml
from zeroth.system.run import run

pytestmark = pytest.mark.thorough

ROOT = checkout()
PACKAGES = ROOT / "images" / "packages"
FOLDER = ROOT / "tests" / "customisations"
GOOD = FOLDER / "good" / "zeroth-image.yaml"
BAD = sorted((FOLDER / "bad").glob("*.yaml"))


def read(text: str, folder: Path) -> Customisation:
    return parse_customisation(text, folder, PACKAGES, "own.yaml")


def good() -> Customisation:
    return read_customisation(GOOD, PACKAGES)


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.name)
def test_bad_files_are_refused_with_everything_that_is_wrong(path: Path) -> None:
    with pytest.raises(FileErrors) as caught:
        read_customisation(path, PACKAGES)
    check_refusal(path, caught.value)


def test_a_good_file_is_read() -> None:
    own = good()
    files = {file.target: file for file in own.files}
    assert files["/etc/site/site.conf"].content == b"server 192.0.2.1\nserver 192.0.2.2\n# Berlin\n"
    assert (files["/etc/site/site.conf"].mode, files["/etc/site/site.conf"].owner) == (0o640, "root:adm")
    assert (files["/usr/local/lib/site/hello"].mode, files["/usr/local/lib/site/inner/settings"].mode) == (
        0o755,
        0o644,
    )
    assert files["/etc/issue"].content == b"Example Cloud Host on \\l\n"
    assert files["/usr/lib/zeroth/product"].content == b"Example Cloud Host\n"
    assert files["/etc/locale.gen"].content == b"de_DE.UTF-8 UTF-8\nfr_FR.UTF-8 UTF-8\n"
    assert b"install pcspkr /bin/false\n" in bytes(files["/usr/lib/modprobe.d/zeroth-own.conf"].content)
    assert files["/usr/share/initramfs-tools/modules.d/zeroth-own"].content == b"igc\n"
    assert own.packages.names == ("iperf3", "locales", "tcpdump")
    assert dict(own.packages.lines)["iperf3"] == f"{GOOD}:8:5"
    assert own.pins == {"iperf3": "3.18-2+deb13u1"}
    assert own.preferences.splitlines()[:3] == [
        "Package: iperf3", "Pin: version 3.18-2+deb13u1", "Pin-Priority: 1001"
    ]  # fmt: skip
    assert [element.name for element in own.elements] == ["site"]
    assert not own.warnings


def test_the_manifest_tells_digests_and_no_contents() -> None:
    section = good().manifest()
    text = json.dumps(section)
    assert "Berlin" not in text
    assert section["product"] == "Example Cloud Host"
    told = {str(item["target"]): item for item in section["files"]}  # type: ignore[attr-defined]
    assert len(told["/etc/motd"]["sha256"]) == 64
    assert "sha256" not in told["/etc/site/site.conf"], "the digest of what only some may read would help to guess it"


def test_a_private_key_is_warned_of(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\nabc\n")
    own = read("files: [{target: /etc/key.pem, source: key.pem}]", tmp_path)
    assert ["private key" in problem.message for problem in own.warnings] == [True]


def test_links_in_a_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "link").symlink_to("/etc/shadow")
    with pytest.raises(FileErrors, match="is no plain file"):
        read("files: [{target: /etc/x, source: tree}]", tmp_path)


def test_a_folder_cannot_lead_to_where_nothing_goes(tmp_path: Path) -> None:
    (tmp_path / "tree" / "shadow").mkdir(parents=True)
    (tmp_path / "tree" / "passwd").write_text("x")
    with pytest.raises(FileErrors, match="nothing can be put into /etc/passwd"):
        read("files: [{target: /etc, source: tree}]", tmp_path)


@given(st.text())
@example("files: [{target: /etc/a, content: '{% for x in range(9) %}', template: true}]")
@example("variables: {a: .nan}\nfiles: [{target: /etc/a, content: '{{ a }}', template: true}]")
def test_any_text_is_read_or_refused(text: str) -> None:
    # Anything but these errors is a bug.
    with suppress(FileErrors):
        assert isinstance(read(text, Path("/nonexistent")), Customisation)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
_NAMES = st.sampled_from(("branding", "packages", "debs", "files", "variables", "elements", "modules", "boot",
                          "locales", "firmware", "system_ids"))  # fmt: skip


@given(st.dictionaries(_NAMES, _VALUES, min_size=1))
def test_any_values_are_read_or_refused_at_a_place(data: dict[str, object]) -> None:
    text = write_yaml(data)
    try:
        problems = read(text, Path("/nonexistent")).warnings
    except FileErrors as error:
        problems = tuple(error.problems)
    assert all(problem.where.line <= text.count("\n") for problem in problems)


@given(st.text(alphabet="ab./-_ \n~", max_size=40))
def test_no_target_leads_out(target: str) -> None:
    text = write_yaml({"files": [{"target": target, "content": "x"}]})
    try:
        own = read(text, Path("/nonexistent"))
    except FileErrors:
        return
    placed = own.files[0].target
    assert placed == os.path.normpath(placed)
    assert placed.startswith("/")
    assert not forbidden(placed)


# Which steps it concerns.


def steps(own: Customisation | None, tmp_path: Path) -> Steps:
    config = BuildConfig(ROOT, Profile.DEV)
    return Steps(config, BuildLog(io.StringIO()), tmp_path, "today", lambda: pytest.fail("no index"), (), own)


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("packages: [tcpdump]", {"base", "system", "tree", "root", "iso", "manifest"}),
        ("packages: [bash=5.2-1]", {"base", "system", "tree", "root", "iso", "manifest"}),
        ("firmware: [server]", {"base", "system", "tree", "root", "iso", "manifest"}),
        ("files: [{target: /etc/a, content: b}]", {"system", "tree", "root", "iso", "manifest"}),
        ("modules: {initrd: [igc]}", {"system", "tree", "root", "iso", "manifest"}),
        ("system_ids: {zabbix: 850}", {"system", "tree", "root", "iso", "manifest"}),
        ("boot: {dom0: [debug]}", {"iso", "manifest"}),
        ("boot: {medium: [debug]}", {"iso", "manifest"}),
    ],
)
def test_only_the_steps_that_it_concerns_change(text: str, changed: set[str], tmp_path: Path) -> None:
    plain, own = steps(None, tmp_path), steps(read(text, tmp_path), tmp_path)
    names = ("tools", "rooms", "wheels", "base", "system", "tree", "root", "iso", "manifest")
    found = {name for name in names if getattr(plain, name)().key != getattr(own, name)().key}
    assert found == changed


def test_a_changed_source_changes_the_tree(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one")
    text = "files: [{target: /etc/a, source: a}]"
    before = steps(read(text, tmp_path), tmp_path).tree().key
    (tmp_path / "a").write_text("two")
    assert steps(read(text, tmp_path), tmp_path).tree().key != before


def test_firmware_sets(tmp_path: Path) -> None:
    def chosen(text: str, firmware: bool | None, profile: Profile) -> tuple[str, ...]:
        made = steps(read(text, tmp_path) if text else None, tmp_path)
        return replace(made, config=replace(made.config, firmware=firmware, profile=profile)).firmware()

    assert chosen("", None, Profile.DEV) == ()
    assert chosen("", None, Profile.RELEASE) == ("server",)
    assert chosen("firmware: [desktop]", None, Profile.RELEASE) == ("desktop",)
    assert chosen("firmware: []", None, Profile.RELEASE) == ()
    assert chosen("firmware: [desktop]", True, Profile.DEV) == ("desktop", "server")
    assert chosen("firmware: [desktop]", False, Profile.RELEASE) == ()
    assert "firmware-realtek" in steps(read("firmware: [desktop]", tmp_path), tmp_path).image_list().names


def test_the_boot_menu_says_the_product() -> None:
    menu = entries("Example Cloud Host", ["site.lab=1"])
    assert menu[0].title == "Install Example Cloud Host"
    assert all(entry.arguments.endswith(" site.lab=1") for entry in menu)


# Packages.


def test_versions_that_are_not_offered() -> None:
    own = good()
    check_pins(own, ["iperf3_3.18-2+deb13u1_amd64.deb"])
    with pytest.raises(FileErrors, match=r"iperf3 is not offered in version 3\.18") as caught:
        check_pins(own, ["iperf3_1%3a3.19-1_amd64.deb", "bash_5_amd64.deb"])
    assert caught.value.problems[0].hint == "Offered: 1:3.19-1."
    assert caught.value.problems[0].where.line == 8


def make_deb(folder: Path, name: str = "agent", architecture: str = "all", *, root: str = "usr/bin") -> Path:
    tree = folder / name
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / root).mkdir(parents=True)
    (tree / root / name).write_text("#!/bin/sh\necho agent\n")
    (tree / root / name).chmod(0o755)
    (tree / "DEBIAN" / "control").write_text(
        f"Package: {name}\nVersion: 1:2.0-1\nArchitecture: {architecture}\nMaintainer: A <a@example.com>\n"
        "Description: test\n"
    )
    run(["dpkg-deb", "--root-owner-group", "--build", tree, folder / f"{name}.deb"])
    return folder / f"{name}.deb"


def test_own_packages_are_looked_into(tmp_path: Path) -> None:
    make_deb(tmp_path)
    make_deb(tmp_path, "foreign", "arm64")
    own = read("debs: [agent.deb]", tmp_path)
    assert own.debs[0].file_name == "agent_1%3a2.0-1_all.deb"
    assert set(own.package_inputs()) == {"own packages"}
    with pytest.raises(FileErrors, match="is for arm64, not for amd64 or all"):
        read("debs: [foreign.deb]", tmp_path)
    whole = (tmp_path / "agent.deb").read_bytes()
    (tmp_path / "cut.deb").write_bytes(whole[: len(whole) - 40])
    with pytest.raises(FileErrors, match="is damaged"):
        read("debs: [cut.deb]", tmp_path)
    (tmp_path / "copy.deb").write_bytes(whole)
    with pytest.raises(FileErrors, match=r"agent is in agent\.deb too"):
        read("debs: [agent.deb, copy.deb]", tmp_path)


# What the tree of packages has.


@pytest.fixture
def base(tmp_path: Path) -> Path:
    texts = {
        "usr/lib/modules/6.12/modules.dep": "kernel/drivers/net/igc.ko.xz: kernel/a.ko.xz\n",
        "usr/lib/modules/6.12/modules.builtin": "kernel/fs/ext4-crypt.ko\n",
        "usr/share/i18n/SUPPORTED": "de_DE.UTF-8 UTF-8\nde_DE ISO-8859-1\n",
        "etc/passwd": "root:x:0:0::/root:/bin/sh\n",
        "etc/group": "root:x:0:\nadm:x:4:\n",
        "var/lib/dpkg/status": "Package: bash\nStatus: install ok installed\nVersion: 5.2-2\n",
    }
    for name, text in texts.items():
        (tmp_path / "base" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "base" / name).write_text(text)
    return tmp_path / "base"


def test_what_the_tree_has_not_is_told_at_once(base: Path) -> None:
    text = (
        "modules: {initrd: [igc, ext4_crypt, igb], block: [floppi]}\nlocales: [de_DE.UTF-8, de_DD.UTF-8]\n"
        "files: [{target: /etc/a, content: a, owner: 'roott:adm'}]\n"
    )
    with pytest.raises(FileErrors) as caught:
        check_tree(read(text, base), base)
    assert [(problem.where.line, problem.message) for problem in caught.value.problems] == [
        (1, "the image has no module igb"), (1, "the image has no module floppi"),
        (2, "the image has no locale de_DD.UTF-8"), (3, "the image has no user roott"),
    ]  # fmt: skip
    assert caught.value.problems[2].hint == "Did you mean de_DE.UTF-8?"


def test_a_pin_that_was_not_kept(base: Path) -> None:
    check_packages(read("packages: [bash=5.2-2]", base), base)
    with pytest.raises(FileErrors, match=r"bash was to be 5\.2-1, and is 5\.2-2"):
        check_packages(read("packages: [bash=5.2-1]", base), base)


# Elements.


def test_hooks_of_own_elements_run_after_ours_and_in_their_order(tmp_path: Path) -> None:
    stage_elements(good().elements, tmp_path / "elements")
    staged = element_hooks(tmp_path / "elements", ["site"])
    assert staged == ["install/70-00-site-010-site-mark"]
    ours = element_hooks(ROOT / "images" / "elements", ["zeroth-os", "zeroth-host", "zeroth-customise"])
    assert all(hook < staged[0] for hook in ours if hook.startswith("install/"))
    names = [hook_name(70, 0, "a", hook) for hook in ("5-x", "10-y", "100-z", "last")]
    assert names == sorted(names)


def test_our_element_is_sound() -> None:
    for hook in (ROOT / "images/elements/zeroth-customise").glob("*.d/*"):
        run(["bash", "-n", hook])


# The command.


def test_the_file_of_the_checkout_is_taken_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("images.cli.checkout", lambda: tmp_path)
    for name in ("images", "requirements", "pyproject.toml", "zeroth", "installer", "firstboot", "hostagent"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "zeroth-image.yaml").write_text("packages: [tcpdump]\n")

    def graph(*words: str) -> tuple[dict[str, str], str]:
        assert run_cli(["image", "graph", "--json", *words]) == 0
        said = capsys.readouterr()
        return {row["step"]: row["key"] for row in json.loads(said.out)}, said.err

    own, said = graph()
    assert f"customised by {tmp_path}/zeroth-image.yaml" in said
    plain, said = graph("--no-customise")
    assert "customised" not in said
    assert own["base"] != plain["base"]
    assert own["tools"] == plain["tools"]


def test_both_options_exclude_each_other() -> None:
    assert run_cli(["image", "graph", "--no-customise", "--customise", str(GOOD)]) == ExitCode.USAGE
