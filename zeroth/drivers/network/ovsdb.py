"""Open vSwitch's configuration database: read it, and change it by one transaction.

Through the IDL of Open vSwitch's own Python library: a transaction is all or nothing, is checked by the server against
the schema, fails when somebody changed the same rows meanwhile, and is done only when the switch daemon has taken it
(``cur_cfg`` has reached our ``next_cfg``). Schema: ovs-vswitchd.conf.db(5).
"""

# ruff: noqa: ANN401 - the library makes its rows' attributes at run time
from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ovs.db.idl
import ovs.jsonrpc
import ovs.poller
import ovs.stream

from zeroth.drivers.network.model import (
    AddBridge,
    AddPort,
    Bonding,
    Bridge,
    Port,
    RemoveBridge,
    RemovePort,
    Role,
    SetBridge,
    SetPort,
    SwitchChange,
)
from zeroth.errors import ExitCode, UserError

__all__ = ["Ovsdb"]

_DATABASE = "Open_vSwitch"
_ROLE_KEY = "zeroth"
_COLUMNS = {
    "Open_vSwitch": ["bridges", "next_cfg", "cur_cfg"],
    "Bridge": ["name", "ports", "other_config", "external_ids", "fail_mode"],
    "Port": ["name", "interfaces", "tag", "fake_bridge", "external_ids", "bond_mode", "lacp", "bond_updelay",
             "other_config"],
    "Interface": ["name", "type", "mac", "mtu_request", "error"],
}  # fmt: skip
_BOND_OPTIONS = ("lacp-fallback-ab", "lacp-time")


class Ovsdb:
    """A database server that listens on a Unix socket.

    :param timeout: seconds to wait for the server, and for the switch daemon to take a change.
    :param daemon: whether there is a switch daemon to wait for (there is none where only the database is tested).
    """

    def __init__(
        self,
        socket: Path = Path("/run/openvswitch/db.sock"),
        *,
        timeout: float = 120.0,
        daemon: bool = True,
    ) -> None:
        self._socket = socket
        self._timeout = timeout
        self._daemon = daemon

    def read(self) -> tuple[Bridge, ...]:
        """All bridges and ports, sorted by name.

        :raises UserError: when the server does not answer.
        """
        with self._connected() as idl:
            found = [_bridge(row) for row in idl.tables["Bridge"].rows.values()]
        return tuple(sorted(found, key=lambda bridge: bridge.name))

    def change(self, changes: tuple[SwitchChange, ...]) -> None:
        """Do all changes in one transaction, and wait until the switch daemon has taken them.

        :raises UserError: when the server refused, or the daemon did not take them in time.
        """
        until = time.monotonic() + self._timeout
        with self._connected() as idl:
            while True:
                transaction = ovs.db.idl.Transaction(idl)
                transaction.add_comment("zeroth")
                editor = _Editor(idl, transaction)
                for change in changes:
                    editor.do(change)
                editor.root.increment("next_cfg")
                status = self._commit(idl, transaction, until)
                if status in (transaction.SUCCESS, transaction.UNCHANGED):
                    break
                if status != transaction.TRY_AGAIN or time.monotonic() > until:
                    raise _failed(f"the switch database refused the change ({transaction.get_error()})")
                # Somebody changed the database between our reading and our writing: read and try again.
                self._step(idl, until)
            if self._daemon:
                self._wait_for_daemon(idl, transaction.get_increment_new_value(), until)

    def _commit(self, idl: Any, transaction: Any, until: float) -> Any:
        while (status := transaction.commit()) == transaction.INCOMPLETE:
            if time.monotonic() > until:
                transaction.abort()
                raise _failed(f"the switch database did not answer within {self._timeout:g} s")
            self._step(idl, until)
        return status

    def _wait_for_daemon(self, idl: Any, generation: int, until: float) -> None:
        while True:
            root = next(iter(idl.tables["Open_vSwitch"].rows.values()))
            if root.cur_cfg >= generation:
                return
            if time.monotonic() > until:
                raise _failed(
                    f"the switch daemon did not take the change within {self._timeout:g} s",
                    "See journalctl -u ovs-vswitchd, and whether the kernel module openvswitch is loaded.",
                )
            self._step(idl, until)

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        until = time.monotonic() + self._timeout
        idl = ovs.db.idl.Idl(f"unix:{self._socket}", self._schema())
        try:
            while not idl.has_ever_connected():
                if time.monotonic() > until:
                    raise _failed(f"no contact with the switch database within {self._timeout:g} s")
                self._step(idl, until)
            if not idl.tables["Open_vSwitch"].rows:
                raise _failed("the switch database is empty", "Run ovs-vsctl --no-wait init.")
            yield idl
        finally:
            idl.close()

    def _schema(self) -> Any:
        """The server's schema, cut down to the columns that we use."""
        error, stream = ovs.stream.Stream.open_block(
            ovs.stream.Stream.open(f"unix:{self._socket}"), timeout=int(self._timeout * 1000)
        )
        if error:
            raise _failed(f"cannot reach the switch database at {self._socket} (error {error})")
        connection = ovs.jsonrpc.Connection(stream)
        try:
            error, reply = connection.transact_block(ovs.jsonrpc.Message.create_request("get_schema", [_DATABASE]))
        finally:
            connection.close()
        if error or reply is None or reply.error:
            raise _failed(f"the switch database gave no schema ({reply.error if reply else error})")
        helper = ovs.db.idl.SchemaHelper(schema_json=reply.result)
        for table, columns in _COLUMNS.items():
            helper.register_columns(table, columns)
        return helper

    def _step(self, idl: Any, until: float) -> None:
        if not idl.run():
            poller = ovs.poller.Poller()
            idl.wait(poller)
            poller.timer_wait(max(0, min(500, int((until - time.monotonic()) * 1000))))
            poller.block()
            idl.run()


class _Editor:
    """Writes changes into an open transaction."""

    def __init__(self, idl: Any, transaction: Any) -> None:
        self._idl = idl
        self._transaction = transaction
        self.root = next(iter(idl.tables["Open_vSwitch"].rows.values()))
        self._new: set[str] = set()
        self._bridges = {row.name: row for row in idl.tables["Bridge"].rows.values()}

    def do(self, change: SwitchChange) -> None:
        match change:
            case AddBridge():
                self._add_bridge(change)
            case SetBridge():
                row = self._bridges[change.bridge]
                row.verify("other_config")
                _set_key(row, "other_config", "hwaddr", change.hwaddr)
                self._set_local_mtu(row, change.mtu)
            case RemoveBridge():
                row = self._bridges.pop(change.bridge)
                self.root.verify("bridges")
                self.root.delvalue("bridges", row)
                for port in list(row.ports):
                    _delete_port(port)
                row.delete()
            case AddPort():
                self._add_port(self._bridges[change.bridge], change.port)
            case SetPort():
                row = self._find_port(change.bridge, change.port.name)
                _write_port(row, change.port)
            case RemovePort():
                row = self._find_port(change.bridge, change.port)
                self._bridges[change.bridge].delvalue("ports", row)
                _delete_port(row)

    def _add_bridge(self, change: AddBridge) -> None:
        row = self._bridges.get(change.bridge)
        if row is None:
            row = self._transaction.insert(self._idl.tables["Bridge"])
            row.name = change.bridge
            # Without a controller the switch shall forward by itself, whatever happens.
            row.fail_mode = "standalone"
            row.ports = []
            self._bridges[change.bridge] = row
            self._new.add(change.bridge)
            self._add_port(row, Port(change.bridge, type="internal", mtu=change.mtu))
            self.root.verify("bridges")
            self.root.addvalue("bridges", row)
            row.other_config = {"hwaddr": change.hwaddr} if change.hwaddr else {}
            row.external_ids = {_ROLE_KEY: change.role.value}
        else:
            row.verify("other_config")
            _set_key(row, "other_config", "hwaddr", change.hwaddr)
            _set_key(row, "external_ids", _ROLE_KEY, change.role.value)
            self._set_local_mtu(row, change.mtu)

    def _set_local_mtu(self, bridge: Any, mtu: int | None) -> None:
        for interface in self._find_port(bridge.name, bridge.name).interfaces:
            _assign(interface, "mtu_request", [] if mtu is None else [mtu])

    def _add_port(self, bridge: Any, port: Port) -> None:
        interfaces = []
        for name in port.interfaces:
            interface = self._transaction.insert(self._idl.tables["Interface"])
            interface.name = name
            interface.type = port.type
            interfaces.append(interface)
        row = self._transaction.insert(self._idl.tables["Port"])
        row.name = port.name
        row.interfaces = interfaces
        row.external_ids = {}
        row.other_config = {}
        _write_port(row, port, new=True)
        if bridge.name in self._new:
            bridge.ports = [*bridge.ports, row]
        else:
            # Only this member is added on the server: guests' ports may come and go meanwhile.
            bridge.addvalue("ports", row)

    def _find_port(self, bridge: str, name: str) -> Any:
        return next(row for row in self._bridges[bridge].ports if row.name == name)


def _write_port(row: Any, port: Port, *, new: bool = False) -> None:
    _assign(row, "tag", [] if port.tag is None else [port.tag])
    row.fake_bridge = port.fake_bridge
    for interface in row.interfaces:
        _assign(interface, "mac", [] if port.mac is None else [port.mac])
        _assign(interface, "mtu_request", [] if port.mtu is None else [port.mtu])
    if port.bond:
        _assign(row, "bond_mode", [port.bond.mode])
        _assign(row, "lacp", [port.bond.lacp] if port.bond.lacp else [])
        row.bond_updelay = port.bond.updelay
        options = dict(port.bond.options)
        for key in _BOND_OPTIONS:
            _set_key(row, "other_config", key, options.get(key))
    if new:
        row.external_ids = {_ROLE_KEY: port.role.value} if port.role else {}
    else:
        _set_key(row, "external_ids", _ROLE_KEY, port.role.value or None)


def _assign(row: Any, column: str, value: list[Any]) -> None:
    setattr(row, column, value)
    # The library logs a value that the schema forbids, and leaves it out of the transaction.
    if getattr(row, column, None) != value:
        raise UserError(f"Open vSwitch: {value[0]!r} is no {column}")


def _set_key(row: Any, column: str, key: str, value: str | None) -> None:
    if value is not None:
        row.setkey(column, key, value)
    elif key in getattr(row, column):
        row.delkey(column, key)


def _delete_port(row: Any) -> None:
    for interface in list(row.interfaces):
        interface.delete()
    row.delete()


def _bridge(row: Any) -> Bridge:
    ports = [_port(port) for port in row.ports if port.name != row.name]
    return Bridge(
        name=row.name,
        hwaddr=row.other_config.get("hwaddr"),
        role=_role(row.external_ids),
        ports=tuple(sorted(ports, key=lambda port: port.name)),
        mtu=next((_mtu(port) for port in row.ports if port.name == row.name), None),
    )


def _port(row: Any) -> Port:
    interface = row.interfaces[0]
    return Port(
        name=row.name,
        type=interface.type,
        tag=row.tag[0] if row.tag else None,
        mac=interface.mac[0] if interface.mac else None,
        fake_bridge=row.fake_bridge,
        role=_role(row.external_ids),
        error=" ".join(error for interface in row.interfaces for error in interface.error),
        mtu=_mtu(row),
        bond=_bonding(row) if len(row.interfaces) > 1 else None,
    )


def _bonding(row: Any) -> Bonding:
    return Bonding(
        members=tuple(sorted(interface.name for interface in row.interfaces)),
        mode=row.bond_mode[0] if row.bond_mode else "",
        lacp=row.lacp[0] if row.lacp else None,
        updelay=row.bond_updelay,
        options=tuple((key, row.other_config[key]) for key in _BOND_OPTIONS if key in row.other_config),
    )


def _mtu(port: Any) -> int | None:
    requested = {tuple(interface.mtu_request) for interface in port.interfaces}
    one = requested.pop() if len(requested) == 1 else ()
    return one[0] if one else None


def _role(external_ids: Mapping[str, str]) -> Role:
    try:
        return Role(external_ids.get(_ROLE_KEY, ""))
    except ValueError:
        return Role.NONE


def _failed(message: str, hint: str = "Is openvswitch-switch.service running?") -> UserError:
    return UserError(f"Open vSwitch: {message}", hint, code=ExitCode.MACHINE)
