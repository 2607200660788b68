"""Who an organization is on its invoices: company, address, tax number. None of it is checked with anybody."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from control_plane import audit
from control_plane.context import Context
from control_plane.members.scope import Member
from control_plane.models import Base
from kernel.errors import InvalidInput
from kernel.ids import format_id

MOST_LINES: Final = 6
"""Of an address."""


class BillingDetails(Base):
    """A row for each organization that has told."""

    __tablename__ = "billing_details"

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    company: Mapped[str]
    address: Mapped[str]
    tax_number: Mapped[str]
    updated_at: Mapped[datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """Each may be empty. `address` is lines."""

    company: str = ""
    address: str = ""
    tax_number: str = ""


async def billing_details(session: AsyncSession, organization_id: UUID) -> Details:
    """What the organization has told; everything empty when it has not."""
    row = await session.get(BillingDetails, organization_id)
    if row is None:
        return Details()
    return Details(company=row.company, address=row.address, tax_number=row.tax_number)


async def set_billing_details(ctx: Context, member: Member, details: Details) -> Details:
    """From the next invoice on. Raises `Forbidden`, and `InvalidInput` that names the field."""
    member.require("billing.manage")
    wanted = Details(
        company=_line(details.company, "company", 200),
        address=_lines(details.address),
        tax_number=_line(details.tax_number, "tax_number", 50),
    )
    before = await billing_details(ctx.session, member.organization_id)
    values = {
        "company": wanted.company,
        "address": wanted.address,
        "tax_number": wanted.tax_number,
        "updated_at": ctx.now,
    }
    statement = insert(BillingDetails).values(organization_id=member.organization_id, **values)
    await ctx.session.execute(statement.on_conflict_do_update(index_elements=["organization_id"], set_=values))
    # Which, and not what: the log outlives the organization, whose address shall not.
    changed = [name for name in ("company", "address", "tax_number") if getattr(before, name) != getattr(wanted, name)]
    await audit.record(
        ctx,
        "organization.billing_details_changed",
        format_id("org", member.organization_id),
        organization_id=member.organization_id,
        changed=changed,
    )
    return wanted


def _line(text: str, field: str, longest: int) -> str:
    line = unicodedata.normalize("NFC", text).strip()
    if len(line) > longest or any(unicodedata.category(char) in ("Cc", "Cs") for char in line):
        raise InvalidInput(f"`{field}` must be at most {longest} characters on one line.", field=field)
    return line


def _lines(text: str) -> str:
    lines = [line for line in (_line(line, "address", 500) for line in text.splitlines()) if line]
    whole = "\n".join(lines)
    if len(lines) > MOST_LINES or len(whole) > 500:
        raise InvalidInput(f"`address` must be at most {MOST_LINES} lines and 500 characters.", field="address")
    return whole
