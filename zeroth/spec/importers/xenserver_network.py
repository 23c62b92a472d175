"""The network of a XenServer answer."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address

from zeroth.spec.importers.xml_tree import Element
from zeroth.spec.importers.xml_words import XmlAnswer

__all__ = ["import_network", "prefix_length"]

_ETH = re.compile(r"eth[0-9]+")


def import_network(answer: XmlAnswer) -> None:
    """Management network and name servers."""
    draft = answer.draft
    element = answer.first("network-backend")
    if element:
        backend = answer.text(element)
        if backend == "bridge":
            draft.left_out("the network backend bridge", "Networks are on Open vSwitch.", element.inside)
        elif backend not in ("openvswitch", "vswitch"):
            hint = "It is openvswitch, vswitch or bridge."
            draft.wrong(f"the network backend {backend!r} is unknown", hint, element.inside)
    for server in answer.every("name-server", "nameserver"):
        if answer.text(server):
            draft.append(("management", "dns"), server.text, server.inside)
    interface = answer.first("admin-interface")
    if interface is None:
        hint = 'As in <admin-interface hwaddr="52:54:00:12:34:56" proto="dhcp"/>'
        draft.wrong("there is no <admin-interface>", hint, answer.root.where, "management")
        return
    _card(answer, interface)
    _vlan(answer, interface)
    four = answer.required(interface, "proto", ("dhcp", "static", "none"))
    six = answer.attribute(interface, "protov6")
    if six and six.value not in ("static", "dhcp", "autoconf", "none"):
        hint = "One of none, dhcp, autoconf, static."
        draft.wrong(f"protov6={six.value!r} is unknown", hint, six.where)
        six = None
    if four and four.value != "dhcp":
        draft.put(("management", "address", "method"), four.value, four.where)
    _address(answer, static=four is not None and four.value == "static", interface=interface)
    if six and six.value != "none":
        method = {"autoconf": "slaac"}.get(six.value, six.value)
        draft.put(("management", "address6", "method"), method, six.where)
    _address6(answer, static=six is not None and six.value == "static", interface=interface)


def _card(answer: XmlAnswer, interface: Element) -> None:
    draft = answer.draft
    name, mac = answer.attribute(interface, "name"), answer.attribute(interface, "hwaddr")
    if mac:
        draft.put(("management", "nic"), mac.value, mac.where)
        if name:
            draft.warn(f"the NIC is taken by its address {mac.value}, not by the name {name.value}", "", name.where)
    elif not name:
        hint = 'Write hwaddr="..." (better) or name="...".'
        draft.wrong("<admin-interface> does not say which NIC", hint, interface.where)
    elif _ETH.fullmatch(name.value):
        why = (
            "XenServer counts NICs, here they keep the kernel's names (enp1s0): the only one with a link is taken. "
            "Give hwaddr= to name one."
        )
        draft.left_out(f"the name {name.value} of the NIC", why, name.where)
    else:
        draft.put(("management", "nic"), name.value, name.where)


def _vlan(answer: XmlAnswer, interface: Element) -> None:
    found = answer.attribute(interface, "vlan")
    if found is None:
        return
    if re.fullmatch(r"[0-9]{1,4}", found.value) and 1 <= int(found.value) <= 4094:
        answer.draft.put(("management", "vlan"), int(found.value), found.where)
    else:
        hint = "A VLAN tag is 1 to 4094; leave it out when the switch port is untagged."
        answer.draft.wrong(f"vlan={found.value!r} is not a VLAN tag", hint, found.where)


def _address(answer: XmlAnswer, *, static: bool, interface: Element) -> None:
    draft = answer.draft
    address, mask, gateway = (
        answer.first("ipaddr", "ip"),
        answer.first("subnet", "subnet-mask"),
        answer.first("gateway"),
    )
    if not static:
        for element in (address, mask, gateway):
            if element:
                answer.drop(element, 'It counts with proto="static" only.', "is not used")
        return
    for name, element in (("ipaddr", address), ("subnet", mask), ("gateway", gateway)):
        if element is None or not answer.text(element):
            place = element.where if element else interface.where
            draft.wrong(f'proto="static" needs <{name}>', f"Add <{name}> to <admin-interface>.", place)
    prefix = prefix_length(mask.text) if mask and mask.text else None
    if mask and mask.text and prefix is None:
        draft.wrong(f"{mask.text!r} is not a network mask", "As in 255.255.255.0.", mask.inside)
    if address and address.text and prefix is not None:
        draft.put(("management", "address", "address"), f"{address.text}/{prefix}", address.inside)
    else:
        # The model would miss it as well.
        draft.data["management"].pop("address", None)
    if gateway and gateway.text and "address" in draft.data["management"]:
        draft.put(("management", "address", "gateway"), gateway.text, gateway.inside)


def _address6(answer: XmlAnswer, *, static: bool, interface: Element) -> None:
    draft = answer.draft
    address, gateway = answer.first("ipv6"), answer.first("gatewayv6")
    if not static:
        for element in (address, gateway):
            if element:
                answer.drop(element, 'It counts with protov6="static" only.', "is not used")
        return
    if address is None or not answer.text(address):
        place = address.where if address else interface.where
        draft.wrong('protov6="static" needs <ipv6>', "As in <ipv6>2001:db8::10/64</ipv6>.", place)
        draft.data["management"].pop("address6", None)
    else:
        draft.put(("management", "address6", "address"), address.text, address.inside)
    if gateway and answer.text(gateway) and "address6" in draft.data["management"]:
        draft.put(("management", "address6", "gateway"), gateway.text, gateway.inside)


def prefix_length(mask: str) -> int | None:
    """Of a dotted network mask; None when it is none. XenServer knows no other spelling."""
    try:
        bits = int(IPv4Address(mask))
    except AddressValueError:
        return None
    inverted = bits ^ 0xFFFFFFFF
    # A mask is ones, then zeros.
    return bits.bit_count() if not inverted & (inverted + 1) else None
