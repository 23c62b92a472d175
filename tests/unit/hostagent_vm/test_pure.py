"""Domain XML, boot files, settings and allowed operations: functions of their arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.store import Record
from hostagent.store.tables import typed
from hostagent.vm.bootfiles import BootFiles
from hostagent.vm.configuration import new_vm
from hostagent.vm.domain_xml import BootPlan, domain_type, domain_xml
from hostagent.vm.hypervisor import boot_plan
from hostagent.vm.power import allowed_operations
from hostagent.xenapi.errors import ApiError
from hostagent.xenapi.model import CLASSES, Value

MIB = 1 << 20
FILES = BootFiles([Path("/var/lib/zeroth/boot")])
BOOT = BootPlan(Path("/var/lib/zeroth/boot/vmlinuz"), Path("/var/lib/zeroth/boot/initrd"), "quiet")


def record(**fields: Value) -> Record:
    given_fields = {"memory_static_max": 64 * MIB, "VCPUs_max": 2, "PV_kernel": "/var/lib/zeroth/boot/k", **fields}
    return typed("VM", new_vm(given_fields, FILES))


def xml(vm: Record, boot: BootPlan = BOOT) -> Value:
    return fromstring(domain_xml(vm, boot))


def test_a_pv_guest() -> None:
    vm = record(name_label="web & <1>", PV_args="quiet", VCPUs_at_startup=1, VCPUs_params={"mask": "0,2-3"})
    domain = xml(vm)
    assert domain.get("type") == "xen"
    assert domain.findtext("name") == domain.findtext("uuid") == vm["uuid"]
    assert domain.findtext("title") == "web & <1>"
    assert domain.findtext("memory") == str(64 * MIB)
    assert domain.find("memory").get("unit") == "b"
    assert domain.findtext("vcpu") == "2"
    assert domain.find("vcpu").attrib == {"current": "1", "cpuset": "0,2-3"}
    assert domain.find("os/type").attrib == {"arch": "x86_64", "machine": "xenpv"}
    assert domain.findtext("os/type") == "linux"
    assert domain.findtext("os/kernel") == "/var/lib/zeroth/boot/vmlinuz"
    assert domain.findtext("os/initrd") == "/var/lib/zeroth/boot/initrd"
    assert domain.findtext("os/cmdline") == "quiet"
    assert [domain.findtext(tag) for tag in ("on_poweroff", "on_reboot", "on_crash")] == [
        "destroy",
        "restart",
        "restart",
    ]
    assert domain.find("devices/console/target").attrib == {"type": "xen", "port": "0"}


def test_a_pvh_guest_without_a_ramdisk() -> None:
    vm = record(domain_type="pvh", actions_after_crash="coredump_and_destroy", actions_after_shutdown="restart")
    domain = xml(vm, BootPlan(BOOT.kernel, None, ""))
    assert (domain.findtext("os/type"), domain.find("os/type").get("machine")) == ("xenpvh", "xenpvh")
    assert domain.find("os/initrd") is None
    assert domain.find("os/cmdline") is None
    assert domain.findtext("on_crash") == "coredump-destroy"
    assert domain.findtext("on_poweroff") == "restart"


TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"))


@given(TEXT, TEXT)
def test_no_text_breaks_out_of_its_element(label: str, arguments: str) -> None:
    vm = record(name_label=label)
    domain = xml(vm, BootPlan(BOOT.kernel, None, arguments))
    assert [child.tag for child in domain.find("os")][:2] == ["type", "kernel"]
    assert domain.findtext("uuid") == vm["uuid"]
    assert (domain.findtext("os/cmdline") or "") == arguments


@pytest.mark.parametrize("mask", ["x", "1;2", "1,", "-1", "0' foo='1"])
def test_a_mask_is_a_list_of_cpus(mask: str) -> None:
    with pytest.raises(ApiError) as caught:
        xml(record(VCPUs_params={"mask": mask}))
    assert caught.value.code == "VALUE_NOT_SUPPORTED"


def test_control_characters_in_arguments_are_refused() -> None:
    with pytest.raises(ApiError):
        xml(record(), BootPlan(BOOT.kernel, None, "a\x00b"))


def test_the_domain_type_of_old_and_new_records() -> None:
    assert domain_type({"domain_type": "unspecified", "HVM_boot_policy": ""}) == "pv"
    assert domain_type({"domain_type": "unspecified", "HVM_boot_policy": "BIOS order"}) == "hvm"
    assert domain_type({"domain_type": "pv_in_pvh", "HVM_boot_policy": ""}) == "pvh"


class TestBootFiles:
    """Against real files and links."""

    @pytest.fixture
    def files(self, tmp_path: Path) -> BootFiles:
        for name in ("boot", "guest", "secret", "boot-not"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "vmlinuz").write_bytes(b"x")
        (tmp_path / "boot" / "sub").mkdir()
        (tmp_path / "boot" / "sub" / "k").write_bytes(b"x")
        (tmp_path / "boot" / "out").symlink_to(tmp_path / "secret" / "vmlinuz")
        (tmp_path / "boot" / "dir").symlink_to(tmp_path / "secret")
        (tmp_path / "boot" / "near").symlink_to("vmlinuz")
        (tmp_path / "boot" / "other").symlink_to(tmp_path / "guest" / "vmlinuz")
        (tmp_path / "boot" / "loop").symlink_to("loop")
        return BootFiles([tmp_path / "boot", tmp_path / "guest"])

    @pytest.mark.parametrize(
        "name", ["boot/vmlinuz", "boot/sub/k", "boot/near", "boot/other", "boot/../guest/vmlinuz"]
    )
    def test_allowed(self, files: BootFiles, tmp_path: Path, name: str) -> None:
        real = files.resolve("PV_kernel", str(tmp_path / name))
        assert real.is_file()
        assert not real.is_symlink()

    @pytest.mark.parametrize(
        "name",
        [
            "secret/vmlinuz",
            "boot/out",
            "boot/dir/vmlinuz",
            "boot/../secret/vmlinuz",
            "boot-not/vmlinuz",
            "boot/none",
            "boot",
            "boot/sub",
            "boot/loop",
            "boot/vmlinuz\0",
            "boot/" + "x" * 5000,
        ],
    )
    def test_refused(self, files: BootFiles, tmp_path: Path, name: str) -> None:
        with pytest.raises(ApiError) as caught:
            files.resolve("PV_kernel", f"{tmp_path}/{name}")
        assert caught.value.description[:2] == ["VALUE_NOT_SUPPORTED", "PV_kernel"]
        assert caught.value.params[2]

    @pytest.mark.parametrize("name", ["vmlinuz", "", "boot/vmlinuz", "file:///etc/shadow"])
    def test_only_absolute_paths(self, files: BootFiles, name: str) -> None:
        with pytest.raises(ApiError):
            files.resolve("PV_kernel", name)

    def test_a_folder_that_is_a_link_itself(self, files: BootFiles, tmp_path: Path) -> None:
        (tmp_path / "alias").symlink_to(tmp_path / "boot")
        assert BootFiles([tmp_path / "alias"]).resolve("PV_kernel", f"{tmp_path}/alias/vmlinuz").is_file()


class TestNewVm:
    """What VM.create makes of what clients send."""

    def test_the_least_that_is_needed(self) -> None:
        vm = new_vm({"memory_static_max": 64 * MIB}, FILES)
        assert (vm["VCPUs_max"], vm["VCPUs_at_startup"]) == (1, 1)
        assert vm["memory_dynamic_max"] == vm["memory_dynamic_min"] == vm["memory_target"] == 64 * MIB
        assert vm["domain_type"] == "pv"
        assert vm["actions_after_shutdown"] == "destroy"

    def test_a_whole_record_read_elsewhere(self) -> None:
        whole = {
            name: field.fresh_default() for name, field in CLASSES["VM"].fields.items() if field.qualifier.name != "RO"
        }
        whole |= {"power_state": "Running", "memory_static_max": 64 * MIB, "VCPUs_max": 3, "HVM_boot_policy": ""}
        vm = typed("VM", new_vm(whole, FILES))
        assert vm["power_state"] == "Halted"
        assert vm["VCPUs_at_startup"] == 3

    @pytest.mark.parametrize(
        ("fields", "code"),
        [
            ({}, "INVALID_VALUE"),
            ({"memory_static_max": 0}, "INVALID_VALUE"),
            ({"memory_static_max": -5}, "MEMORY_CONSTRAINT_VIOLATION"),
            ({"memory_static_max": 4096}, "VALUE_NOT_SUPPORTED"),
            ({"memory_static_max": 1 << 60}, "VALUE_NOT_SUPPORTED"),
            ({"memory_static_max": 64 * MIB, "memory_dynamic_max": 65 * MIB}, "MEMORY_CONSTRAINT_VIOLATION"),
            ({"memory_static_max": 64 * MIB, "memory_static_min": 65 * MIB}, "MEMORY_CONSTRAINT_VIOLATION"),
            ({"memory_static_max": 64 * MIB, "VCPUs_max": 1, "VCPUs_at_startup": 2}, "INVALID_VALUE"),
            ({"memory_static_max": 64 * MIB, "VCPUs_max": 100_000}, "INVALID_VALUE"),
            ({"memory_static_max": 64 * MIB, "VCPUs_max": -1}, "INVALID_VALUE"),
            ({"memory_static_max": 64 * MIB, "PV_kernel": "/etc/shadow"}, "VALUE_NOT_SUPPORTED"),
            ({"memory_static_max": 64 * MIB, "PV_ramdisk": "relative"}, "VALUE_NOT_SUPPORTED"),
            ({"memory_static_max": 64 * MIB, "PV_args": "x" * 5000}, "VALUE_NOT_SUPPORTED"),
        ],
    )
    def test_refused(self, fields: dict[str, Any], code: str) -> None:
        with pytest.raises(ApiError) as caught:
            new_vm(fields, FILES)
        assert caught.value.code == code

    @given(
        st.fixed_dictionaries(
            {},
            optional={
                name: st.integers(-(1 << 62), 1 << 62) | st.just(0)
                for name in (
                    "memory_static_max",
                    "memory_static_min",
                    "memory_dynamic_min",
                    "memory_dynamic_max",
                    "VCPUs_max",
                    "VCPUs_at_startup",
                )
            },
        )
    )
    def test_any_numbers_make_a_sound_vm_or_an_api_error(self, fields: dict[str, int]) -> None:
        try:
            vm = new_vm(fields, FILES)
        except ApiError:
            return
        assert 0 <= vm["memory_static_min"] <= vm["memory_dynamic_min"] <= vm["memory_dynamic_max"]
        assert vm["memory_dynamic_max"] <= vm["memory_static_max"]
        assert 1 <= vm["VCPUs_at_startup"] <= vm["VCPUs_max"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"domain_type": "hvm"}, "NOT_IMPLEMENTED"),
        ({"PV_kernel": ""}, "VALUE_NOT_SUPPORTED"),
        ({"PV_kernel": "", "PV_bootloader": "pygrub"}, "UNKNOWN_BOOTLOADER"),
        ({"PV_kernel": "/var/lib/zeroth/boot/not-there"}, "VALUE_NOT_SUPPORTED"),
    ],
)
def test_what_cannot_be_booted(fields: dict[str, Any], code: str) -> None:
    with pytest.raises(ApiError) as caught:
        boot_plan(record(**fields), FILES)
    assert caught.value.code == code


def test_allowed_operations_are_words_of_the_model() -> None:
    words = set(CLASSES["VM"].enums["vm_operations"])
    for state in ("Halted", "Running", "Paused", "Suspended"):
        for template in (False, True):
            allowed = allowed_operations(typed("VM", {"power_state": state, "is_a_template": template}))
            assert set(allowed) <= words
