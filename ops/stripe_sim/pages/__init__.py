"""Pages to click through: Checkout, the customer portal, invoices, and the simulator's own page with its clock.

Plain forms, no script. The address of a session is the right to use it, as at Stripe. A form that comes from another
site's page is refused.
"""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, quote

import jinja2

from ops.stripe_sim import checkout, invoices, subscriptions
from ops.stripe_sim.cards import attach, new_card
from ops.stripe_sim.errors import StripeError, declined, invalid
from ops.stripe_sim.http import Answer
from ops.stripe_sim.invoice_routes import of_new
from ops.stripe_sim.lines import name_of
from ops.stripe_sim.pages import pdf
from ops.stripe_sim.store import Thing

if TYPE_CHECKING:
    from ops.stripe_sim.server import Simulator

_FOLDER: Final = Path(__file__).parent
_POLICY: Final = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"
_NO_CENTS: Final = {"bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf"}
_AHEAD: Final = {"hour": 3_600, "day": 86_400, "week": 7 * 86_400}
Form = dict[str, str]


def money(amount: int, currency: str) -> str:
    """`12.30 USD`."""
    if currency in _NO_CENTS:
        return f"{amount:,} {currency.upper()}"
    return f"{Decimal(amount) / 100:,.2f} {currency.upper()}"


def day(moment: int | None) -> str:
    """`1 Nov 2026`."""
    if moment is None:
        return "–"
    at = datetime.fromtimestamp(moment, UTC)
    return f"{at.day} {at:%b %Y}"


class Pages:
    """Answers what is not the API."""

    def __init__(self, simulator: "Simulator") -> None:
        self._simulator = simulator
        self._sim = simulator.sim
        loader = jinja2.FileSystemLoader(_FOLDER)
        self._templates = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
        self._templates.filters |= {"day": day}
        self._templates.globals |= {"money": money}

    def answer(self, method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> Answer:
        """The page, a redirect after a form, or a page that says what is wrong."""
        parts = path.strip("/").split("/")
        form = dict(parse_qsl(body.decode("utf-8", "replace")))
        try:
            if method == "POST" and headers.get("origin", self._simulator.url) != self._simulator.url:
                raise StripeError(403, "invalid_request_error", "This form came from another site's page.")
            answer = self._find(method, parts, form)
        except StripeError as error:
            self._sim.rollback()
            answer = self._page("message.html", status=error.status, title="That did not work", message=str(error))
        self._sim.rollback()
        return answer

    def _find(self, method: str, parts: list[str], form: Form) -> Answer:
        get = method in ("GET", "HEAD")
        match parts:
            case [""] if get:
                return self._home()
            case ["sim", what] if method == "POST":
                return self._control(what, form)
            case ["style.css"] if get:
                return Answer(200, (_FOLDER / "style.css").read_bytes(), {"content-type": "text/css"})
            case ["c", "pay", session]:
                return self._checkout(session) if get else self._pay_checkout(session, form)
            case ["p", "session", session]:
                return self._portal(session)
            case ["p", "session", session, what] if method == "POST":
                return self._portal_change(session, what, form)
            case ["i", invoice] if get:
                return self._invoice(invoice)
            case ["i", invoice, "pay"] if method == "POST":
                return self._pay_invoice(invoice, form)
            case ["i", invoice, "pdf"] if get:
                return self._pdf(invoice)
            case ["receipts", charge] if get:
                return self._receipt(charge)
        raise StripeError(404, "invalid_request_error", "There is no such page.")

    def _page(self, template: str, *, status: int = 200, **values: Any) -> Answer:
        text = self._templates.get_template(template).render(now=self._sim.now(), **values)
        headers = {
            "content-type": "text/html; charset=utf-8",
            "content-security-policy": _POLICY,
            "referrer-policy": "same-origin",
            "cache-control": "no-store",
        }
        return Answer(status, text.encode(), headers)

    # -- Checkout ------------------------------------------------------------------------------------------------------

    def _checkout(self, identity: str, *, error: str = "", form: Form | None = None, status: int = 200) -> Answer:
        session = self._sim.need("checkout.session", identity)
        if session["status"] != "open":
            said = "This is paid already." if session["status"] == "complete" else "This page has expired."
            return self._page("message.html", title="Nothing to pay here", message=said, status=410)
        data = session["_subscription_data"]
        trial = data.get("trial_end")
        if data.get("trial_period_days"):
            trial = self._sim.now_of(session["customer"]) + data["trial_period_days"] * 86_400
        due = self._due_today(session) if session["_items"] else 0
        session = self._sim.need("checkout.session", identity)
        customer = self._sim.store.get("customer", session["customer"]) if session["customer"] else None
        return self._page(
            "checkout.html",
            status=status,
            session=session,
            items=session["_items"],
            trial=trial,
            due=due,
            email=customer["email"] if customer is not None else session["customer_email"],
            needs_card=checkout.needs_card(session),
            error=error,
            form=form or {},
        )

    def _due_today(self, session: Thing) -> int:
        """What the first invoice would ask for: it is made, looked at and taken back."""
        given = dict(session["_subscription_data"]) | {"items": checkout.items_of(session)}
        about = {"customer": session["customer"], "discounts": checkout.discounts_of(session)}
        self._sim.begin()
        try:
            return int(of_new(self._sim, about, given)["amount_due"])
        except StripeError:  # usage alone: nothing yet
            return 0
        finally:
            self._sim.rollback()

    def _pay_checkout(self, identity: str, form: Form) -> Answer:
        month, _, year = form.get("expiry", "12/34").partition("/")
        try:
            if form.get("number") and not (month.strip().isdigit() and year.strip().isdigit()):
                raise invalid("Write the card's expiry as MM/YY.")
            details: Thing = {name: form.get(name, "").strip() for name in ("email", "name", "promotion")}
            if form.get("number"):
                details |= {"exp_month": int(month), "exp_year": 2000 + int(year) % 100}
            if form.get("tax_id"):
                details["tax_id"] = {"type": "eu_vat", "value": form["tax_id"].strip()}
            self._simulator.complete_checkout(identity, form.get("number", ""), **details)
        except StripeError as error:
            if error.status == 404:
                raise
            return self._checkout(identity, error=str(error), form=form, status=402)
        session = self._sim.need("checkout.session", identity)
        return _to(session["success_url"].replace("{CHECKOUT_SESSION_ID}", quote(identity)))

    # -- customer portal -----------------------------------------------------------------------------------------------

    def _portal(self, identity: str, *, error: str = "", status: int = 200) -> Answer:
        sim = self._sim
        session = sim.need("billing_portal.session", identity)
        customer = sim.need("customer", session["customer"])
        cards = list(sim.store.all("payment_method", customer=customer["id"]))
        own = [each for each in sim.store.all("subscription", customer=customer["id"])]
        return self._page(
            "portal.html",
            status=status,
            session=session,
            customer=customer,
            features=sim.need("billing_portal.configuration", session["configuration"])["features"],
            card=next((each for each in cards if each["id"] == self._default(customer, own)), None),
            subscriptions=[
                {
                    "it": each,
                    "lines": [
                        {"name": name_of(sim, item["price"]), "item": item} for item in subscriptions.items_of(each)
                    ],
                    "until": subscriptions.period_of(each)[1],
                }
                for each in own
                if each["status"] not in subscriptions.ENDED
            ],
            invoices=[each for each in sim.store.all("invoice", customer=customer["id"]) if each["number"]][::-1],
            flow=(session["flow"] or {}).get("type", ""),
            error=error,
        )

    @staticmethod
    def _default(customer: Thing, own: list[Thing]) -> str | None:
        chosen: str | None = customer["invoice_settings"]["default_payment_method"]
        live = [each["default_payment_method"] for each in own if each["status"] not in subscriptions.ENDED]
        return next((each for each in live if each), None) or chosen

    def _portal_change(self, identity: str, what: str, form: Form) -> Answer:
        sim = self._sim
        session = sim.need("billing_portal.session", identity)
        features = sim.need("billing_portal.configuration", session["configuration"])["features"]
        work = {"card": self._new_card, "cancel": self._cancel, "renew": self._renew}.get(what)
        feature = {"card": "payment_method_update"}.get(what, "subscription_cancel")
        if work is None or not features[feature]["enabled"]:
            raise StripeError(404, "invalid_request_error", "The portal does not offer this.")
        customer = session["customer"]
        flow = session["flow"]
        sim.rollback()
        try:
            self._simulator.change(lambda _: work(customer, form, features))
        except StripeError as error:
            return self._portal(identity, error=str(error), status=402)
        if flow and flow["after_completion"]["type"] == "redirect":
            return _to(flow["after_completion"]["redirect"]["return_url"])
        return _to(f"/p/session/{identity}")

    def _new_card(self, customer: str, form: Form, _: Thing) -> None:
        sim = self._sim
        owner = sim.need("customer", customer)
        card = new_card(sim, form.get("number", ""), email=owner["email"])
        attach(sim, card, owner)
        owner["invoice_settings"]["default_payment_method"] = card["id"]
        sim.emit("customer.updated", owner)
        for subscription in sim.store.all("subscription", customer=customer):
            if subscription["default_payment_method"] and subscription["status"] not in subscriptions.ENDED:
                subscription["default_payment_method"] = card["id"]
                sim.emit("customer.subscription.updated", subscription)

    def _own_subscription(self, customer: str, form: Form) -> Thing:
        subscription = self._sim.need("subscription", form.get("subscription", ""))
        if subscription["customer"] != customer:
            raise invalid("No such subscription.")
        return subscription

    def _cancel(self, customer: str, form: Form, features: Thing) -> None:
        subscription = self._own_subscription(customer, form)
        if features["subscription_cancel"]["mode"] == "immediately":
            prorate = features["subscription_cancel"]["proration_behavior"] != "none"
            subscriptions.end_subscription(self._sim, subscription, prorate=prorate)
        else:
            subscriptions.change(self._sim, subscription, {"cancel_at_period_end": True})

    def _renew(self, customer: str, form: Form, _: Thing) -> None:
        subscription = self._own_subscription(customer, form)
        subscriptions.change(self._sim, subscription, {"cancel_at_period_end": False})

    # -- invoices ------------------------------------------------------------------------------------------------------

    def _final(self, identity: str) -> Thing:
        invoice = self._sim.need("invoice", identity)
        if invoice["number"] is None:
            raise StripeError(404, "invalid_request_error", "This invoice is a draft.")
        return invoice

    def _invoice(self, identity: str, *, error: str = "", status: int = 200) -> Answer:
        invoice = self._final(identity)
        return self._page("invoice.html", invoice=invoice, error=error, status=status)

    def _pay_invoice(self, identity: str, form: Form) -> Answer:
        refused: list[str] = []

        def pay(_: Any) -> None:
            sim = self._sim
            invoice = self._final(identity)
            owner = sim.need("customer", invoice["customer"])
            card = new_card(sim, form.get("number", ""), email=owner["email"])
            attach(sim, card, owner)
            if code := invoices.pay(sim, invoice, card, present=True):
                refused.append(code)  # the failure stays on record

        try:
            self._simulator.change(pay)
        except StripeError as error:
            return self._invoice(identity, error=str(error), status=402)
        if refused:
            return self._invoice(identity, error=str(declined(refused[0])), status=402)
        return _to(f"/i/{identity}")

    def _pdf(self, identity: str) -> Answer:
        invoice = self._final(identity)
        name = f'inline; filename="{invoice["number"]}.pdf"'
        return Answer(200, pdf.render(invoice), {"content-type": "application/pdf", "content-disposition": name})

    def _receipt(self, identity: str) -> Answer:
        charge = self._sim.need("charge", identity)
        if not charge["paid"]:
            raise StripeError(404, "invalid_request_error", "This payment failed; it has no receipt.")
        return self._page("receipt.html", charge=charge)

    # -- the simulator's own page --------------------------------------------------------------------------------------

    def _home(self) -> Answer:
        sim = self._sim
        return self._page(
            "home.html",
            customers=[each for each in sim.store.all("customer") if not each.get("deleted")][::-1][:20],
            subscriptions=list(sim.store.all("subscription"))[::-1],
            sessions=list(sim.store.all("checkout.session", status="open"))[::-1][:10],
            drafts=list(sim.store.all("invoice"))[::-1][:20],
            log=self._simulator.outbox.log[::-1][:15],
            waiting=self._simulator.outbox.waiting(),
            declines=sim.settings["decline"],
        )

    def _control(self, what: str, form: Form) -> Answer:
        if what == "clock" and form.get("by") in (*_AHEAD, "month"):
            now = self._sim.now()
            self._sim.rollback()
            self._simulator.advance_to(now + _AHEAD[form["by"]] if form["by"] in _AHEAD else _next_month(now))
        elif what == "cards":
            self._simulator.decline("generic_decline" if form.get("refuse") == "yes" else None)
        else:
            raise StripeError(404, "invalid_request_error", "There is no such control.")
        return _to("/")


def _next_month(now: int) -> int:
    """The first of the next month, and the hour after it in which drafts become final."""
    at = datetime.fromtimestamp(now, UTC)
    year, month = (at.year + 1, 1) if at.month == 12 else (at.year, at.month + 1)
    return int(datetime(year, month, 1, 1, 0, 1, tzinfo=UTC).timestamp())


def _to(url: str) -> Answer:
    return Answer(303, b"", {"location": url, "cache-control": "no-store"})
