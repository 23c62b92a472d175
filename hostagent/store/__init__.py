"""The agent's store: one host's desired state, as typed records of the XenAPI data model in SQLite.

::

    with Store(Path("/var/lib/zeroth/store.db")) as store:
        with store.transaction() as tx:
            host = tx.create("host", {"name_label": "zeroth"})
            tx.update("host", host, enabled=True)
        store.get("host", host)["enabled"]
"""

from hostagent.store.store import Store
from hostagent.store.tables import Change, Changes, NotFound, Record
from hostagent.store.transaction import Transaction

__all__ = ["Change", "Changes", "NotFound", "Record", "Store", "Transaction"]
