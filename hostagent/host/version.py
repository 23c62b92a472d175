"""What this host calls itself and what it speaks: fixed words that clients compare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hostagent.host.facts import HostFacts
from zeroth import __version__

__all__ = ["API_VERSION", "PRODUCT_BRAND", "license_params", "restrictions", "software_version"]

API_VERSION: Final = (2, 23)
"""Of the data model that hostagent.xenapi.model declares."""
PRODUCT_BRAND: Final = "zeroth"
"""Our own. Clients that know a brand expect its ways of updating; pretending to be another would break them later."""

# Clients read these as versions, and choose by them what to call: the release whose data model we serve; a platform
# that has what current clients ask for (pool updates from 2.1.1, nested virtualization from 3.4); XenCenter's API.
_XAPI: Final = "26.21.0"
_PLATFORM: Final = "3.4.0"
_XENCENTER: Final = "2.21"
_DB_SCHEMA: Final = "5.909"

# What this host does not do yet, in the words that clients hide buttons by.
_RESTRICTED: Final = (
    "restrict_ha", "restrict_wlb", "restrict_dmc", "restrict_vtpm", "restrict_zstd_export", "restrict_export_vm",
    "restrict_import_vm", "restrict_live_migration", "restrict_snapshots", "restrict_gpu", "restrict_vgpu",
    "restrict_pvs_proxy", "restrict_ad", "restrict_rbac", "restrict_pooling", "restrict_cbt", "restrict_nbd",
    "restrict_pci_passthrough", "restrict_usb_passthrough", "restrict_corosync", "restrict_updates",
)  # fmt: skip


def software_version(facts: HostFacts) -> Mapping[str, str]:
    """``host.software_version``, with the keys that clients look for."""
    return {
        "product_brand": PRODUCT_BRAND,
        "product_version": __version__,
        "product_version_text": __version__,
        "product_version_text_short": __version__,
        "platform_name": PRODUCT_BRAND,
        "platform_version": _PLATFORM,
        "build_number": __version__,
        "hostname": facts.hostname,
        "dbv": "",
        "db_schema": _DB_SCHEMA,
        "xapi": _XAPI,
        "xapi_build": __version__,
        "xen": facts.xen,
        "linux": facts.kernel,
        "xencenter_min": _XENCENTER,
        "xencenter_max": _XENCENTER,
        "network_backend": "openvswitch",
    }


def restrictions() -> Mapping[str, str]:
    """``pool.restrictions``: what clients need not offer."""
    return dict.fromkeys(_RESTRICTED, "true")


def license_params() -> Mapping[str, str]:
    """``host.license_params``: there is nothing to expire, but clients want a date."""
    return {"sku_type": "free", "expiry": "20991231T00:00:00Z", **restrictions()}
