"""A HostSpec as the plain data of an answer in YAML or JSON, secrets included."""

from __future__ import annotations

from typing import Any

from zeroth.spec.model import REVEALED, HostSpec

__all__ = ["plain_data"]

_ALWAYS = ("schema_version", "hostname", "root", "disk", "management")


def plain_data(spec: HostSpec) -> dict[str, Any]:
    """What an answer has to say for this host: reading it gives the same HostSpec again. Treat it as a secret.

    Parts of the host about which nothing is said are left out; what is said is spelt out.
    """
    data = spec.model_dump(mode="json", exclude_none=True, context=REVEALED)
    # What was set to none on purpose has to be said.
    if spec.dom0.serial is None:
        data["dom0"]["serial"] = None
    fields = HostSpec.model_fields
    return {
        name: value for name, value in data.items() if name in _ALWAYS or getattr(spec, name) != fields[name].default
    }
