"""An invoice's lines in words, the same on its page and in its PDF."""

from datetime import datetime, timedelta

from billing.invoices.charges import Line
from billing.invoices.document import DocumentLine
from billing.money import amount_text
from billing.words import METERS, amount


def line_words(line: Line) -> str:
    """What a line is for that is in no document yet."""
    return METERS[line.what] if line.kind in ("usage", "adjustment") else line.what


def describe(line: DocumentLine) -> str:
    """What the line is for."""
    if line.kind == "adjustment":
        return f"{METERS[line.what]}, received after the invoice of {datetime.fromisoformat(line.begin):%B %Y}"
    if line.kind == "usage":
        return METERS[line.what]
    if line.kind == "addon" and line.quantity is not None:
        return f"{line.quantity} × {line.what}"
    return line.what


def stretch_words(line: DocumentLine) -> str:
    """`1 to 31 January 2026`, with times where the stretch begins or ends within a day (UTC)."""
    begin, end = datetime.fromisoformat(line.begin), datetime.fromisoformat(line.end)
    midnight = (0, 0, 0, 0)
    if all((each.hour, each.minute, each.second, each.microsecond) == midnight for each in (begin, end)):
        last = end - timedelta(days=1)
        if (begin.year, begin.month) == (last.year, last.month):
            return f"{begin.day} to {last.day} {last:%B %Y}" if begin.day != last.day else f"{last.day} {last:%B %Y}"
        return f"{begin.day} {begin:%B} to {last.day} {last:%B %Y}"
    return f"{_moment(begin)} to {_moment(end)} UTC"


def quantity_words(line: DocumentLine, currency: str) -> str:
    """How the amount comes about: quantity, what is included, the price."""
    if line.kind == "plan":
        return f"{amount_text(line.price or 0, currency)} a month"
    if line.kind == "addon":
        return f"{amount_text(line.price or 0, currency)} a month each"
    meter, quantity = line.meter or "", line.quantity or 0
    used = amount(meter, quantity) if quantity >= 0 else f"minus {amount(meter, -quantity)}"
    if line.kind == "adjustment":
        return f"{used} more" if quantity >= 0 else used
    if line.included is None:
        return f"{used}, no limit"
    words = f"{used}, {amount(meter, line.included)} included"
    if not line.beyond:
        return words
    beyond = f"{amount(meter, line.beyond)} beyond"
    if line.price is None or line.per is None:
        return f"{words}, {beyond}, not charged"
    each = "each" if line.per == 1 else f"for every {amount(meter, line.per)} or part"
    return f"{words}, {beyond} at {amount_text(line.price, currency)} {each}"


def _moment(at: datetime) -> str:
    return f"{at.day} {at:%b} {at:%H:%M}"
