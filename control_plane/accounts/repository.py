"""Load accounts."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.accounts.models import Account
from kernel.errors import NotFound


async def get(session: AsyncSession, account_id: UUID) -> Account:
    """An account. Raises `NotFound`."""
    return await _one(session, account_id, lock=False)


async def get_for_change(session: AsyncSession, account_id: UUID) -> Account:
    """The account, locked until the commit. Raises `NotFound`.

    Whoever changes an account, its tokens or all of its sessions takes this lock first.
    """
    return await _one(session, account_id, lock=True)


async def by_email(session: AsyncSession, email: str) -> Account | None:
    """The account of an address in lower case."""
    query = select(Account).where(Account.email == email).execution_options(populate_existing=True)
    return (await session.execute(query)).scalar_one_or_none()


async def _one(session: AsyncSession, account_id: UUID, *, lock: bool) -> Account:
    query = select(Account).where(Account.id == account_id).execution_options(populate_existing=True)
    account = (await session.execute(query.with_for_update() if lock else query)).scalar_one_or_none()
    if account is None:
        raise NotFound("There is no such account.")
    return account
