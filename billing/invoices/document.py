"""The invoice as a document: everything that its page and its PDF show, in one canonical form.

The same facts make the same bytes: fields stand in the order below, amounts are whole numbers, times RFC 3339.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from billing.coupons import Redeemed
from billing.invoices.charges import Line
from billing.money import settle
from billing.plans import Tax
from kernel.clock import rfc3339
from kernel.ids import format_id

FORMAT: Final = 1


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """An id and the name that it had."""

    id: str
    name: str


class DocumentLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A `Line`, with the name that its app had."""

    app: Named
    kind: str
    what: str
    begin: str
    end: str
    amount: int
    meter: str | None = None
    quantity: int | None = None
    included: int | None = None
    beyond: int | None = None
    price: int | None = None
    per: int | None = None


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """Credit or a coupon, and how much it took off."""

    id: str
    name: str
    amount: int


class DocumentTax(msgspec.Struct, frozen=True, kw_only=True):
    """What was added at the end."""

    name: str
    basis_points: int
    amount: int


class Party(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who an invoice is from or for, as they were when it was made. What is not known is left away."""

    name: str = ""
    address: tuple[str, ...] = ()
    tax_number: str = ""


class Document(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An invoice, or a preview when `number` is empty. Amounts are minor units of `currency`.

    `total` = `subtotal` - credits - coupons + tax, never below zero; what a negative subtotal leaves is `carried`
    over as credit. Usage is what was received by `cut`.
    """

    format: int
    number: str
    organization: Named
    month: str
    currency: str
    cut: str
    finalized_at: str
    lines: tuple[DocumentLine, ...]
    subtotal: int
    credits: tuple[Taken, ...]
    coupons: tuple[Taken, ...]
    tax: DocumentTax
    total: int
    carried: int
    # Later than the first invoices: where nothing is known they are left away, so that old texts stay what they are.
    customer: Party | None = None
    seller: Party | None = None

    def encode(self) -> str:
        """Its one text form."""
        return msgspec.json.encode(self).decode()

    def by_app(self) -> "dict[str, list[tuple[int, DocumentLine]]]":
        """The lines under the name of their app, each with its place from 1 on."""
        found: dict[str, list[tuple[int, DocumentLine]]] = {}
        for place, line in enumerate(self.lines, 1):
            found.setdefault(line.app.id, []).append((place, line))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What stands on top."""

    number: str
    organization: Named
    month: str
    currency: str
    cut: datetime
    finalized_at: datetime
    customer: Party | None = None
    seller: Party | None = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """A credit grant and what can be drawn from it, or was."""

    id: UUID
    reason: str
    amount: int


def compose(
    head: Head,
    lines: Sequence[Line],
    apps: Mapping[str, str],
    credits: Sequence[Drawn],
    coupons: Sequence[Redeemed],
    tax: Tax,
) -> Document:
    """Put it together. `apps` are names by public id; `credits` in the order in which they are drawn on."""
    subtotal = sum(line.amount for line in lines)
    covering = [one.coupon for one in coupons if one.covers(head.month)]
    settled = settle(
        subtotal,
        [credit.amount for credit in credits],
        [(coupon.percent * 100, coupon.amount) for coupon in covering],
        tax.basis_points,
    )
    return Document(
        format=FORMAT,
        number=head.number,
        organization=head.organization,
        month=head.month,
        currency=head.currency,
        cut=rfc3339(head.cut),
        finalized_at=rfc3339(head.finalized_at),
        lines=tuple(_line(line, apps) for line in lines),
        subtotal=subtotal,
        credits=tuple(
            Taken(id=format_id("cred", credit.id), name=credit.reason, amount=used)
            for credit, used in zip(credits, settled.credits, strict=True)
            if used
        ),
        coupons=tuple(
            Taken(id=coupon.code, name=coupon.name, amount=off)
            for coupon, off in zip(covering, settled.discounts, strict=True)
        ),
        tax=DocumentTax(name=tax.name, basis_points=tax.basis_points, amount=settled.tax),
        total=settled.total,
        carried=max(0, -subtotal),
        customer=head.customer,
        seller=head.seller,
    )


def party(name: str, address: Sequence[str], tax_number: str) -> Party | None:
    """Who is told of; `None` where nothing is."""
    if not (name or address or tax_number):
        return None
    return Party(name=name, address=tuple(address), tax_number=tax_number)


def decode(text: str) -> Document:
    """A stored one."""
    return msgspec.json.decode(text, type=Document)


def digest(text: str) -> str:
    """SHA-256 of the text form, hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def number_text(number: int) -> str:
    """`N-000042`."""
    return f"N-{number:06d}"


def _line(line: Line, apps: Mapping[str, str]) -> DocumentLine:
    app_id = format_id("app", line.app_id)
    return DocumentLine(
        app=Named(id=app_id, name=apps.get(app_id, app_id)),
        kind=line.kind,
        what=line.what,
        begin=rfc3339(line.begin),
        end=rfc3339(line.end),
        amount=line.amount,
        meter=line.meter,
        quantity=line.quantity,
        included=line.included,
        beyond=line.beyond,
        price=line.price,
        per=line.per,
    )
