"""Everything about an ISO image as plain data, without a secret in it; and how it is shown."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from images.iso.content import embedded, file_digests, image_digests, manifest
from images.iso.layout import Iso
from images.report import medium_problems
from zeroth.errors import UserError
from zeroth.progress import Step
from zeroth.spec.embedded import Embedded
from zeroth.spec.fetch.found import without_password
from zeroth.spec.load import read_answer
from zeroth.spec.model import HIDDEN
from zeroth.spec.secrets import redacted

__all__ = ["boot_facts", "embedded_facts", "iso_facts", "shown_argument"]

_TELLING = (
    "linux-image-amd64", "xen-hypervisor-4.20-amd64", "libvirt-daemon", "openvswitch-switch", "qemu-system-xen",
    "systemd", "python3",
)  # fmt: skip
_IMAGE = re.compile(r"El Torito (boot img|img path|img opts) +: +(\d+) +(.+)")
_PARTITION = re.compile(r"(GPT partname local|GPT type GUID|GPT start and size) +: +(\d+) +(.+)")


def iso_facts(iso: Iso, step: Step) -> dict[str, Any]:
    """Read the whole image, twice: its digest, and the files'.

    :raises UserError: when it is no image of ours, or damaged where this has to be read.
    """
    made_of = manifest(iso)
    total = iso.size + sum(file.size for file in iso.files.values())
    done = 0

    def progress(count: int) -> None:
        nonlocal done
        done += count
        step.update(done, of=total)

    whole = image_digests(iso, progress)
    digests = file_digests(iso, progress)
    packages = made_of["packages"]
    keys = ("version", "profile", "architecture", "debian", "firmware", "security_updates", "source_date_epoch")
    return {
        "path": str(iso.path), "size": iso.size, "sha256": whole.actual, "pristine_sha256": whole.pristine,
        **{key: made_of.get(key) for key in keys},
        "files": [
            {"path": name, "size": file.size, "sha256": digests[name]} for name, file in sorted(iso.files.items())
        ],
        "packages": {
            "count": len(packages),
            "telling": {name: packages[name]["version"] for name in _TELLING if name in packages},
        },
        "boot": boot_facts(iso.report),
        "embedded": embedded_facts(embedded(iso)),
    }  # fmt: skip


def boot_facts(report: str) -> dict[str, Any]:
    """El Torito's images and GPT's partitions, from xorriso's report; sizes and offsets in bytes."""
    images: dict[int, dict[str, Any]] = {}
    partitions: dict[int, dict[str, Any]] = {}
    for line in report.splitlines():
        if match := _IMAGE.fullmatch(line.strip()):
            image = images.setdefault(int(match[2]), {})
            words = match[3].split()
            if match[1] == "boot img":
                image |= {"platform": words[0], "emulation": words[2], "offset": int(words[-1]) * 2048}
            elif match[1] == "img path":
                image["path"] = match[3]
            else:
                image["options"] = words
        elif match := _PARTITION.fullmatch(line.strip()):
            partition = partitions.setdefault(int(match[2]), {})
            if match[1].endswith("local"):
                partition["name"] = match[3]
            elif match[1].endswith("GUID"):
                # As it stands on disk: the first three fields byte by byte.
                partition["type"] = str(UUID(bytes_le=bytes.fromhex(match[3])))
            else:
                start, size = (int(word) * 512 for word in match[3].split())
                partition |= {"offset": start, "size": size}
    return {
        "el_torito": [images[number] for number in sorted(images)],
        "gpt": [{"number": number, **partitions[number]} for number in sorted(partitions)],
        "problems": medium_problems(report),
    }


def embedded_facts(content: Embedded) -> dict[str, Any]:
    """What is embedded, fit to show and to log."""
    return {
        "answer": _answer(content),
        "authorities": [_certificate(it) for it in _certificates(content.authorities)],
        "ssh_keys": [_ssh_key(key) for key in content.ssh_keys],
        "arguments": [shown_argument(word) for word in content.arguments],
        "pins": list(content.pins),
        "token": HIDDEN if content.token else None,
        "signers": [key.name for key in content.answer_keys()],
        "require_signed": content.require_signed,
    }


def shown_argument(word: str) -> str:
    """A kernel argument without the password that an address in it may hold."""
    name, sign, value = word.partition("=")
    return f"{name}{sign}{without_password(value)}" if "://" in value else word


def _answer(content: Embedded) -> dict[str, Any] | None:
    answer = content.answer_text()
    if answer is None:
        return None
    size = len(answer.text.encode())
    try:
        host: dict[str, Any] | None = redacted(read_answer(answer).accepted())
    except UserError:
        # One that another version wrote. The reasons would show the text.
        host = None
    signed = bool(content.answer and content.answer.signature)
    return {"name": answer.name, "size": size, "signed": signed, "host": host}


def _certificates(text: str) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(text.encode()) if text else []


def _certificate(certificate: x509.Certificate) -> Mapping[str, str]:
    return {
        "subject": certificate.subject.rfc4514_string(),
        "until": certificate.not_valid_after_utc.isoformat(),
        "sha256": certificate.fingerprint(hashes.SHA256()).hex(),
    }


def _ssh_key(key: str) -> Mapping[str, str]:
    kind, blob, *comment = key.split(" ", 2)
    digest = hashlib.sha256(base64.b64decode(blob)).digest()
    # As ssh-keygen -l prints it.
    return {
        "type": kind,
        "fingerprint": "SHA256:" + base64.b64encode(digest).decode().rstrip("="),
        "comment": "".join(comment),
    }
