"""An invoice as a PDF, with the word that no money is asked for."""

import io
from typing import Any, Final

from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from ops.stripe_sim.store import Thing

_WIDTH, _HEIGHT = A4
_LEFT: Final = 50.0
_RIGHT: Final = _WIDTH - 50.0


def render(invoice: Thing) -> bytes:
    """The file; the same invoice makes the same bytes."""
    from ops.stripe_sim.pages import day, money

    target = io.BytesIO()
    canvas: Any = Canvas(target, pagesize=A4, invariant=1)
    canvas.setTitle(f"Invoice {invoice['number']}")
    place = _HEIGHT - 60

    def write(left: str, right: str = "", *, size: int = 10, bold: bool = False, gap: float = 16) -> None:
        nonlocal place
        canvas.setFont("Helvetica-Bold" if bold else "Helvetica", size)
        canvas.drawString(_LEFT, place, _plain(left)[:90])
        canvas.drawRightString(_RIGHT, place, right)
        place -= gap
        if place < 60:
            canvas.showPage()
            place = _HEIGHT - 60

    write("Stripe simulator: not a real invoice, no money is owed", size=9, gap=30)
    write(f"Invoice {invoice['number']}", invoice["status"], size=18, bold=True, gap=26)
    write(f"For {invoice['customer_name'] or invoice['customer_email'] or invoice['customer']}")
    for each in invoice["customer_tax_ids"]:
        write(f"Tax id {each['value']}")
    write(f"Date {day(invoice['effective_at'])}", gap=28)
    for line in invoice["lines"]["data"]:
        write(line["description"] or "", money(line["amount"], line["currency"]))
    place -= 8
    write("Subtotal", money(invoice["subtotal"], invoice["currency"]))
    discount = invoice["subtotal"] - invoice["total"]
    if discount:
        write("Discount", money(-discount, invoice["currency"]))
    write("Total", money(invoice["total"], invoice["currency"]), bold=True)
    applied = invoice["amount_due"] - invoice["total"]
    if applied:
        write("From the customer's balance", money(applied, invoice["currency"]))
    write("Amount due", money(invoice["amount_due"], invoice["currency"]), bold=True)
    canvas.showPage()
    canvas.save()
    return target.getvalue()


def _plain(text: str) -> str:
    """What the built-in fonts can write."""
    return text.encode("cp1252", "replace").decode("cp1252")
