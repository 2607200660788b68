"""The chain of hashes through the audit log: what a hash is over, and whether it all still fits.

The database chains entries at the commit that writes them (`control.chain_audit_entry`). Here the same is made again
from the rows alone, without the database's functions, which whoever tampers with rows might have changed too.
"""

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.members.scope import Member
from kernel.errors import Conflict
from kernel.ids import format_id

GENESIS: Final = "0" * 64
"""What the first entry names as the hash before it."""
INSTALLATION: Final = UUID(int=0)
"""The chain of entries that concern no organization."""
_PAGE: Final = 2_000

_CHAINS: Final = text(
    "select organization_id, name from (select distinct c.organization_id from control.audit_chain c union "
    "select distinct coalesce(e.organization_id, cast(:none as uuid)) from control.audit_entries e) known "
    "left join control.organizations o on o.id = known.organization_id "
    "where cast(:one as uuid) is null or organization_id = cast(:one as uuid) order by organization_id"
)
_ROWS: Final = text(
    "select c.seq, c.entry_id, c.previous, c.hash, e.id, e.at, e.actor, e.action, e.target, e.organization_id, "
    "e.app_id, e.request_id, cast(e.data as text) as data "
    "from control.audit_chain c left join control.audit_entries e on e.id = c.entry_id "
    "where c.organization_id = :chain and c.seq > :after order by c.seq limit :most"
)
_UNCHAINED: Final = text(
    "select e.id from control.audit_entries e left join control.audit_chain c on c.entry_id = e.id "
    "where c.entry_id is null and e.organization_id is not distinct from cast(:organization as uuid) "
    "order by e.id limit 1"
)
_HEAD: Final = text(
    "select seq, hash from control.audit_chain where organization_id = :chain order by seq desc limit 1"
)


@dataclass(frozen=True, slots=True)
class Head:
    """The newest entry of a chain; whoever keeps both can tell later that nothing before was changed or cut off."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Break:
    """The first entry that does not fit. `entry` is `aud_…`, or the place's number where the entry is gone."""

    seq: int
    entry: str
    what: str


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What became of following one chain from its beginning: `entries` fit, then it ended or broke."""

    organization_id: UUID
    name: str | None
    entries: int
    head: Head | None
    broken: Break | None

    @property
    def public_id(self) -> str:
        """`org_…`, or `installation`."""
        return "installation" if self.organization_id == INSTALLATION else format_id("org", self.organization_id)


def canonical(row: Any, seq: int, previous: str) -> bytes:
    """What the hash of an entry is over: a JSON object as PostgreSQL writes `jsonb`.

    Names go by length, then by bytes; one space follows each colon and comma; text is not escaped but where JSON must.
    `row.data` is the JSON text that is stored.
    """
    fields = {
        "seq": str(seq),
        "previous": json.dumps(previous),
        "id": json.dumps(str(row.id)),
        "at": json.dumps(_instant(row.at)),
        "actor": _text(row.actor),
        "action": _text(row.action),
        "target": _text(row.target),
        "organization_id": _text(row.organization_id),
        "app_id": _text(row.app_id),
        "request_id": _text(row.request_id),
        "data": row.data,
    }
    ordered = sorted(fields.items(), key=lambda field: (len(field[0]), field[0]))
    return ("{" + ", ".join(f'"{name}": {value}' for name, value in ordered) + "}").encode()


def export_line(row: Any) -> bytes:
    """An entry as a line of the export: what the hash is over, with the hash at its end."""
    return canonical(row, row.seq, row.previous)[:-1] + f', "hash": "{row.hash}"}}\n'.encode()


async def head(session: AsyncSession, organization_id: UUID) -> Head | None:
    """The newest entry of an organization's chain; `None`: it is empty."""
    row = (await session.execute(_HEAD, {"chain": organization_id})).one_or_none()
    return Head(row.seq, row.hash) if row is not None else None


async def verify(session: AsyncSession, organization_id: UUID | None = None) -> AsyncIterator[ChainReport]:
    """Follow one chain, or all that the role sees. The transaction should see one instant (`snapshot`)."""
    chains = await session.execute(_CHAINS, {"one": organization_id, "none": INSTALLATION})
    for chain in chains.all():
        yield await _follow(session, chain.organization_id, chain.name)


async def verify_own(session: AsyncSession, member: Member) -> ChainReport:
    """The member's organization's. Raises `Forbidden`."""
    member.require("audit.read")
    return await _follow(session, member.organization_id, member.organization_name)


async def expect(session: AsyncSession, organization_id: UUID, kept: Head) -> None:
    """Raises `Conflict` unless the chain holds, at that place, the hash that somebody kept."""
    found = text("select hash from control.audit_chain where organization_id = :chain and seq = :seq")
    values = {"chain": organization_id, "seq": kept.seq}
    if (await session.execute(found, values)).scalar_one_or_none() != kept.hash:
        raise Conflict(f"Entry {kept.seq} is not the one whose hash was kept: the log was rewritten or cut off.")


async def _follow(session: AsyncSession, chain: UUID, name: str | None) -> ChainReport:
    last = Head(0, GENESIS)
    broken: Break | None = None
    while broken is None:
        values = {"chain": chain, "after": last.seq, "most": _PAGE}
        rows = (await session.execute(_ROWS, values)).all()
        for row in rows:
            broken = _fault(row, last, chain)
            if broken is not None:
                break
            last = Head(row.seq, row.hash)
        if len(rows) < _PAGE:
            break
    if broken is None:
        organization = None if chain == INSTALLATION else chain
        missing = (await session.execute(_UNCHAINED, {"organization": organization})).scalar_one_or_none()
        if missing is not None:
            broken = Break(last.seq + 1, format_id("aud", missing), "was written past the chain")
    return ChainReport(chain, name, last.seq, last if last.seq else None, broken)


def _fault(row: Any, last: Head, chain: UUID) -> Break | None:
    entry = format_id("aud", row.entry_id)
    if row.seq != last.seq + 1:
        return Break(last.seq + 1, str(last.seq + 1), "is missing from the chain")
    if row.id is None:
        return Break(row.seq, entry, "was removed")
    if row.previous != last.hash:
        return Break(row.seq, entry, "does not follow the entry before it")
    if (row.organization_id or INSTALLATION) != chain:
        return Break(row.seq, entry, "was moved here from another organization")
    if hashlib.sha256(canonical(row, row.seq, row.previous)).hexdigest() != row.hash:
        return Break(row.seq, entry, "was changed")
    return None


def _text(value: Any) -> str:
    return "null" if value is None else json.dumps(str(value), ensure_ascii=False)


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
