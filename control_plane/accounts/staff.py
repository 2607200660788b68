"""Staff: accounts that may open the operators' pages. Made beside the server, never over the network."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy.dialects.postgresql import insert

from control_plane import audit
from control_plane.accounts import repository, tokens
from control_plane.accounts.models import Account
from control_plane.context import Context
from control_plane.validation import check_email, check_name

_LINK_LIFETIME: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class NewStaff:
    """`url` sets the password, once, within 24 hours."""

    account_id: str
    url: str
    created: bool


async def create_staff(ctx: Context, *, email: str, name: str | None = None) -> NewStaff:
    """Make an account staff, and the account too if there is none. Raises `InvalidInput` that names the field."""
    email = check_email(email)
    name = check_name(name if name is not None else email.partition("@")[0], field="name")
    row = {"id": ctx.ids.uuid7(), "email": email, "name": name, "staff": False, "created_at": ctx.now}
    made = insert(Account).values(row).on_conflict_do_nothing().returning(Account.id)
    created = (await ctx.session.execute(made)).one_or_none() is not None
    found = await repository.by_email(ctx.session, email)
    assert found is not None
    account = await repository.get_for_change(ctx.session, found.id)
    account.staff = True
    token, _ = tokens.issue(ctx, "reset", account.id, lifetime=_LINK_LIFETIME)
    await audit.record(ctx, "account.made_staff", account.public_id, created=created)
    return NewStaff(account.public_id, f"{ctx.settings.portal}/reset/{token}", created)
