"""An invoice as a PDF. The same document makes the same bytes: the file carries no time and no random id."""

import io
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from billing.invoices.document import Document, Party, digest
from billing.invoices.typeface import Run, Typeface, width
from billing.invoices.wording import describe, quantity_words, stretch_words
from billing.money import amount_text
from billing.usage.periods import month_bounds

WIDTH, HEIGHT = A4
LEFT: Final = 50.0
RIGHT: Final = WIDTH - 50.0
MIDDLE: Final = WIDTH / 2
BOTTOM: Final = 70.0
_INK, _MUTED, _RULE, _ACCENT = HexColor(0x1C1C21), HexColor(0x5F5F6B), HexColor(0xE3E3E8), HexColor(0x4B45D1)


def render(document: Document) -> bytes:
    """The file."""
    target = io.BytesIO()
    canvas = Canvas(target, pagesize=A4, invariant=1, pageCompression=1)
    canvas.setTitle(f"Invoice {document.number}")
    canvas.setAuthor("Natter")
    sheet = _Sheet(canvas, document)
    sheet.head()
    for lines in document.by_app().values():
        sheet.app(lines[0][1].app.name, [line for _, line in lines])
    sheet.totals()
    sheet.foot()
    canvas.showPage()
    canvas.save()
    return target.getvalue()


class _Sheet:
    """Writes from top to bottom, over as many pages as it takes. `y` is the next line's base, points from below."""

    def __init__(self, canvas: Any, document: Document) -> None:
        self._canvas = canvas
        self._document = document
        self._typeface = Typeface(_words(document))
        self._y = HEIGHT - 60

    def head(self) -> None:
        document = self._document
        begin, _ = month_bounds(document.month)
        brand = document.seller.name if document.seller and document.seller.name else "Natter"
        self._text(LEFT, brand, size=11, bold=True, color=_ACCENT)
        self._move(30)
        self._text(LEFT, f"Invoice {document.number}", size=20, bold=True)
        self._move(28)
        facts = [
            ("For", document.organization.name),
            ("Month", f"{begin:%B %Y} (UTC)"),
            ("Date", _day(document.finalized_at)),
            ("Usage received by", document.cut.replace("T", " ").removesuffix("Z")[:16] + " UTC"),
        ]
        for name, value in facts:
            self._text(LEFT, name, color=_MUTED)
            self._text(LEFT + 110, value)
            self._move(15)
        self._move(14)
        self._parties()

    def _parties(self) -> None:
        """Side by side who it is for and from, where that is known."""
        document, top = self._document, self._y
        lowest = top
        for x, title, party in ((LEFT, "Billed to", document.customer), (MIDDLE, "From", document.seller)):
            if party is None:
                continue
            self._y = top
            self._text(x, title, size=8, color=_MUTED)
            self._move(14)
            room = (MIDDLE - 20 if x == LEFT else RIGHT) - x
            for place, line in enumerate(party_lines(party, document.organization.name if x == LEFT else "")):
                self._text(x, line, bold=not place, room=room)
                self._move(13)
            lowest = min(lowest, self._y)
        self._y = lowest - 14 if lowest < top else top

    def app(self, name: str, lines: Iterable[Any]) -> None:
        self._room(60)
        self._text(LEFT, name, size=11, bold=True)
        self._text(RIGHT, self._document.currency.upper(), color=_MUTED, right=True)
        self._rule(8)
        for line in lines:
            self._room(45)
            self._text(LEFT, describe(line))
            self._text(RIGHT, self._money(line.amount), right=True)
            self._move(13)
            self._text(LEFT, stretch_words(line), size=8, color=_MUTED)
            self._move(11)
            self._text(LEFT, self._basis(line), size=8, color=_MUTED)
            self._move(17)
        self._move(8)

    def totals(self) -> None:
        document = self._document
        rows: list[tuple[str, int]] = [("Sum", document.subtotal)]
        rows += [(f"Credit: {taken.name}", -taken.amount) for taken in document.credits]
        rows += [(f"Coupon {taken.id}: {taken.name}", -taken.amount) for taken in document.coupons]
        if document.tax.basis_points:
            rows.append((f"{document.tax.name}, {document.tax.basis_points / 100:g} %", document.tax.amount))
        self._room(40 + 16 * len(rows))
        self._rule(0)
        for name, amount in rows:
            self._text(LEFT + 200, name, color=_MUTED)
            self._text(RIGHT, self._money(amount), right=True)
            self._move(16)
        self._move(4)
        self._text(LEFT + 200, "Total", size=12, bold=True)
        self._text(RIGHT, amount_text(document.total, document.currency), size=12, bold=True, right=True)
        self._move(18)
        if document.carried:
            carried = amount_text(document.carried, document.currency)
            self._text(LEFT + 200, f"{carried} is carried over as credit.", color=_MUTED)
            self._move(16)

    def foot(self) -> None:
        self._room(60)
        self._move(20)
        words = (
            "Each line can be followed to the usage ledger's rows it rests on: see the invoice's page in the portal.",
            f"Document SHA-256: {digest(self._document.encode())}",
        )
        for line in words:
            self._text(LEFT, line, size=7.5, color=_MUTED)
            self._move(11)

    def _basis(self, line: Any) -> str:
        return quantity_words(line, self._document.currency)

    def _money(self, amount: int) -> str:
        return amount_text(amount, self._document.currency).rpartition(" ")[0]

    def _text(
        self,
        x: float,
        text: str,
        *,
        size: float = 9.5,
        bold: bool = False,
        color: Any = _INK,
        right: bool = False,
        room: float | None = None,
    ) -> None:
        canvas = self._canvas
        runs = self._fit(text, size, bold, room or (x if right else RIGHT - x) - (LEFT if right else 0))
        if right:
            x -= width(runs, size)
        for font, part in runs:
            canvas.setFont(font, size)
            canvas.setFillColor(color)
            canvas.drawString(x, self._y, part)
            x += width([(font, part)], size)

    def _fit(self, text: str, size: float, bold: bool, room: float) -> list[Run]:
        runs = self._typeface.runs(text, bold=bold)
        while text and width(runs, size) > room:
            text = text[:-2].rstrip() + "…" if len(text) > 2 else ""
            runs = self._typeface.runs(text, bold=bold)
        return runs

    def _rule(self, above: float) -> None:
        self._move(above)
        self._canvas.setStrokeColor(_RULE)
        self._canvas.setLineWidth(0.7)
        self._canvas.line(LEFT, self._y, RIGHT, self._y)
        self._move(16)

    def _move(self, points: float) -> None:
        self._y -= points

    def _room(self, points: float) -> None:
        if self._y - points < BOTTOM:
            self._canvas.showPage()
            self._y = HEIGHT - 60


def party_lines(party: Party, otherwise: str = "") -> list[str]:
    """Name, address and tax number, a line each; `otherwise` is the name of who has told none."""
    number = [f"Tax number: {party.tax_number}"] if party.tax_number else []
    return [line for line in (party.name or otherwise, *party.address, *number) if line]


def _words(document: Document) -> list[str]:
    """Every text in it that somebody typed."""
    found = [document.organization.name, document.tax.name]
    found += [line.app.name for line in document.lines] + [line.what for line in document.lines]
    found += [taken.name for taken in (*document.credits, *document.coupons)]
    for party in (document.customer, document.seller):
        found += party_lines(party) if party else []
    return found


def _day(at: str) -> str:
    return f"{datetime.fromisoformat(at):%d %B %Y}".lstrip("0")
