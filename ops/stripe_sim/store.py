"""What the simulator knows: JSON objects by kind and id, in memory, and in a SQLite file where one is named.

One request, or one step of the clock, is a transaction: objects that were read are remembered, whatever changed of
them is written by `commit`, and nothing by `rollback`. Within a transaction an id always gives the same dictionary,
so that two parts of the code never write over each other. Keys that begin with `_` are the simulator's own.
"""

import hashlib
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import orjson

Thing = dict[str, Any]
Row = tuple[str, str]

INDEXED: Final = {
    "subscription": ("customer",),
    "invoice": ("customer", "_subscription"),
    "invoiceitem": ("customer",),
    "payment_method": ("customer",),
    "tax_id": ("customer",),
    "customer_balance_transaction": ("customer",),
    "invoice_payment": ("invoice",),
    "billing.meter_event": ("_key",),
    "price": ("product", "lookup_key"),
}
_LETTERS: Final = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Store:
    """`seed` makes the ids the same in each run. Raises `OSError` or `sqlite3.Error` for a file that cannot be used."""

    def __init__(self, path: Path | None = None, seed: str | None = None) -> None:
        self._rows: dict[str, dict[str, bytes]] = {}
        self._index: dict[tuple[str, str, Any], dict[str, None]] = {}
        self._open: dict[Row, Thing] = {}
        self._gone: dict[Row, None] = {}
        self._file: sqlite3.Connection | None = None
        if path is not None:
            self._file = sqlite3.connect(path)
            self._file.execute("PRAGMA journal_mode = WAL")
            self._file.execute(
                "CREATE TABLE IF NOT EXISTS things"
                " (n INTEGER PRIMARY KEY, kind TEXT, id TEXT, body BLOB, UNIQUE (kind, id))"
            )
            for kind, identity, kept in self._file.execute("SELECT kind, id, body FROM things ORDER BY n"):
                self._write(kind, identity, bytes(kept))
        if self.get("_meta", "meta") is None:
            self.add({"object": "_meta", "id": "meta", "seed": seed or secrets.token_hex(16), "ids": 0})
        self.commit()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def new_id(self, prefix: str, length: int = 24) -> str:
        """An id that was not given before: the seed and a counter, hashed."""
        meta = self.get("_meta", "meta")
        assert meta is not None
        meta["ids"] += 1
        digest = int.from_bytes(hashlib.sha512(f"{meta['seed']}:{meta['ids']}".encode()).digest())
        letters = []
        for _ in range(length):
            digest, letter = divmod(digest, len(_LETTERS))
            letters.append(_LETTERS[letter])
        return f"{prefix}_{''.join(letters)}"

    # -- reading -----------------------------------------------------------------------------------------------------

    def get(self, kind: str, identity: str) -> Thing | None:
        """The object, which may be changed in place."""
        row = (kind, identity)
        if row in self._open:
            return self._open[row]
        body = self._rows.get(kind, {}).get(identity)
        if body is None or row in self._gone:
            return None
        thing: Thing = orjson.loads(body)
        self._open[row] = thing
        return thing

    def all(self, kind: str, **equal: Any) -> Iterator[Thing]:
        """Objects of a kind whose fields have these values, oldest first."""
        rows = self._rows.get(kind, {})
        field = next((name for name in INDEXED.get(kind, ()) if name in equal), None)
        if field is None:
            found = list(rows)
            found += [identity for of, identity in self._open if of == kind and identity not in rows]
        else:
            hits = self._index.get((kind, field, equal[field]), {})
            found = list(hits)
            found += [identity for of, identity in list(self._open) if of == kind and identity not in hits]
        for identity in found:
            thing = self.get(kind, identity)
            if thing is not None and all(thing.get(name) == value for name, value in equal.items()):
                yield thing

    def committed(self, thing: Thing) -> Thing | None:
        """The object as it was when the transaction began."""
        body = self._rows.get(thing["object"], {}).get(thing["id"])
        return orjson.loads(body) if body is not None else None

    # -- writing -----------------------------------------------------------------------------------------------------

    def add(self, thing: Thing) -> Thing:
        """Keep a new object from now on."""
        row = (thing["object"], thing["id"])
        self._open[row] = thing
        self._gone.pop(row, None)
        return thing

    def remove(self, thing: Thing) -> None:
        row = (thing["object"], thing["id"])
        self._open.pop(row, None)
        self._gone[row] = None

    def commit(self) -> None:
        """Write what changed since the last commit, all or nothing."""
        changed: list[tuple[str, str, bytes | None]] = []
        for (kind, identity), thing in self._open.items():
            written = orjson.dumps(thing)
            if self._rows.get(kind, {}).get(identity) != written:
                changed.append((kind, identity, written))
        changed += [(kind, identity, None) for kind, identity in self._gone if identity in self._rows.get(kind, {})]
        if self._file is not None and changed:
            with self._file:
                for kind, identity, body in changed:
                    if body is None:
                        self._file.execute("DELETE FROM things WHERE kind = ? AND id = ?", (kind, identity))
                    else:
                        self._file.execute(
                            "INSERT INTO things (kind, id, body) VALUES (?, ?, ?)"
                            " ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
                            (kind, identity, body),
                        )
        for kind, identity, body in changed:
            self._write(kind, identity, body)
        self.rollback()

    def rollback(self) -> None:
        """Forget what was changed and read."""
        self._open.clear()
        self._gone.clear()

    def _write(self, kind: str, identity: str, body: bytes | None) -> None:
        rows = self._rows.setdefault(kind, {})
        if fields := INDEXED.get(kind, ()):
            before = orjson.loads(rows[identity]) if identity in rows else None
            after = orjson.loads(body) if body is not None else None
            for field in fields:
                old, new = before and (before.get(field),), after and (after.get(field),)
                if old and old != new:
                    self._index[kind, field, old[0]].pop(identity, None)
                if new and old != new:
                    self._index.setdefault((kind, field, new[0]), {})[identity] = None
        if body is None:
            rows.pop(identity, None)
        else:
            rows[identity] = body
