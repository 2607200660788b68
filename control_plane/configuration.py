"""The configuration version: one number for the installation that orders every change a node must see.

Lock order, the same everywhere:

1. what one job alone has: the lock of an app's standing (`entitlements.lock`), of an organization's closing months;
2. the configuration row, by `advance`;
3. the organization's row (`members.service.lock_organization`), then its apps' rows by id;
4. what belongs to them: terms, keys, entitlements, memberships, alerts, credits, the number of invoices;
5. the audit chain's lock, which the database takes at the commit.

A row that refers to an app or organization locks that one's row too (`for key share`), and a new version is an update
of a unique column, which waits for such locks. So a use case that changes what nodes see begins with `advance`, before
it writes any row; one that does not may write rows of 3 and 4, and must not advance afterwards.
`tests/billing/test_lock_order.py` looks at what is held by who waits for the configuration.
"""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import NotFound

_ADVANCE = text("update control.configuration set version = version + 1 returning version")
_CURRENT = text("select version from control.configuration")
_STAMP = text("update control.apps set version = :version where id = :app_id returning id")


async def advance(session: AsyncSession) -> int:
    """The next version, for one app. Other configuration changes wait until this transaction ends."""
    return int((await session.execute(_ADVANCE)).scalar_one())


async def current(session: AsyncSession) -> int:
    """The newest committed version (0: nothing was configured yet)."""
    return int((await session.execute(_CURRENT)).scalar_one())


async def touch(session: AsyncSession, app_id: UUID) -> int:
    """Give an app the next version, so that its nodes fetch it again. Raises `NotFound`."""
    version = await advance(session)
    if (await session.execute(_STAMP, {"version": version, "app_id": app_id})).one_or_none() is None:
        raise NotFound("There is no such app.")
    return version
