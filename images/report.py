"""What xorriso says about a medium, and whether every firmware will find its way on it."""

from __future__ import annotations

from pathlib import Path

from images.config import VOLUME_LABEL
from images.tools import ToolsTree

__all__ = ["medium_problems", "medium_report"]

_ESP_TYPE = "28732ac11ff8d211ba4b00a0c93ec93b"
"""The type of an EFI system partition as it stands on disk: xorriso prints the first three fields byte by byte."""


def medium_report(image: Path, tools: ToolsTree) -> str:
    """xorriso's reports on the volume, El Torito and the system area of an ISO image."""
    return tools.run(
        ["xorriso", "-indev", image, "-pvd_info", "-report_el_torito", "plain", "-report_system_area", "plain"],
        show=[image.parent],
    ).stdout


def medium_problems(report: str) -> list[str]:
    """What is missing for the medium to boot from CD and USB stick, under BIOS and UEFI; empty when nothing is."""
    lines = [" ".join(line.split()) for line in report.splitlines()]

    def has(*parts: str) -> bool:
        return any(all(part in line for part in parts) for line in lines)

    boot_images = [line.split() for line in lines if line.startswith("El Torito boot img :")]
    partitions = [line for line in lines if line.startswith("GPT type GUID")]
    checks = {
        f"the volume is not labelled {VOLUME_LABEL}": has(f"Volume Id : {VOLUME_LABEL}"),
        "CD under BIOS: no El Torito image": any(words[6] == "BIOS" for words in boot_images),
        "CD under UEFI: no El Torito image": any(words[6] == "UEFI" for words in boot_images),
        "CD under BIOS: GRUB's boot information is missing": has("img opts", "boot-info-table grub2-boot-info"),
        "virtual drives of BMCs: the EFI image is no file of the ISO": has("img path", "/boot/grub/efi.img"),
        "USB stick under BIOS: no GRUB in the MBR": has("System area summary:", "grub2-mbr"),
        "USB stick under UEFI: no GPT": has("System area summary:", "GPT"),
        "USB stick under UEFI: no EFI system partition": any(line.endswith(_ESP_TYPE) for line in partitions),
        "USB stick: the first partition does not hold the ISO": has("Partition offset : 16"),
    }
    return [problem for problem, fine in checks.items() if not fine]
