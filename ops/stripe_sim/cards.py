"""Test cards, and whether a charge goes through. Stripe's published numbers behave as they do there."""

from dataclasses import dataclass
from typing import Final

from ops.stripe_sim.errors import declined, invalid
from ops.stripe_sim.sim import Sim
from ops.stripe_sim.store import Thing


@dataclass(frozen=True, slots=True)
class Kind:
    """`attach` and `charge`: the decline code on saving the card and on charging it later."""

    brand: str = "visa"
    attach: str = ""
    charge: str = ""


NUMBERS: Final = {
    "4242424242424242": Kind(),
    "4000056655665556": Kind(),
    "5555555555554444": Kind("mastercard"),
    "378282246310005": Kind("amex"),
    "4000000000000341": Kind(charge="generic_decline"),
    "4000000000000002": Kind(attach="generic_decline", charge="generic_decline"),
    "4000000000009995": Kind(attach="insufficient_funds", charge="insufficient_funds"),
    "4000000000009987": Kind(attach="lost_card", charge="lost_card"),
    "4000000000000069": Kind(attach="expired_card", charge="expired_card"),
    "4000000000000127": Kind(attach="incorrect_cvc", charge="incorrect_cvc"),
    "4000002760003184": Kind(charge="authentication_required"),
}
"""The last asks for authentication at each charge; nobody is there to give it for a renewal."""

TOKENS: Final = {
    "pm_card_visa": "4242424242424242",
    "pm_card_mastercard": "5555555555554444",
    "pm_card_amex": "378282246310005",
    "pm_card_chargeCustomerFail": "4000000000000341",
    "pm_card_visa_chargeDeclined": "4000000000000002",
    "pm_card_chargeDeclined": "4000000000000002",
    "pm_card_visa_chargeDeclinedInsufficientFunds": "4000000000009995",
    "pm_card_authenticationRequired": "4000002760003184",
    "tok_visa": "4242424242424242",
    "tok_mastercard": "5555555555554444",
    "tok_chargeCustomerFail": "4000000000000341",
    "tok_chargeDeclined": "4000000000000002",
}


def new_card(sim: Sim, number: str, exp_month: int = 12, exp_year: int = 2034, **details: str | None) -> Thing:
    """A payment method that belongs to nobody yet. Raises Stripe's errors for a number that is no card's."""
    digits = number.replace(" ", "").replace("-", "")
    if not digits.isdigit() or not 12 <= len(digits) <= 19 or not _luhn(digits):
        error = invalid("Your card number is incorrect.", code="incorrect_number", param="number")
        error.status, error.error["type"] = 402, "card_error"
        raise error
    kind = NUMBERS.get(digits, Kind())
    return sim.add(
        "payment_method",
        "pm",
        allow_redisplay="unspecified",
        billing_details={
            "address": {name: None for name in ("city", "country", "line1", "line2", "postal_code", "state")},
            "email": details.get("email"),
            "name": details.get("name"),
            "phone": None,
            "tax_id": None,
        },
        card={
            "brand": kind.brand,
            "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
            "country": "US",
            "display_brand": kind.brand,
            "exp_month": exp_month,
            "exp_year": exp_year,
            "fingerprint": f"sim{digits[-8:]}",
            "funding": "credit",
            "generated_from": None,
            "last4": digits[-4:],
            "networks": {"available": [kind.brand], "preferred": None},
            "regulated_status": "unregulated",
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        },
        customer=None,
        customer_account=None,
        metadata={},
        type="card",
        _number=digits,
    )


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def resolve(sim: Sim, identity: str, param: str = "payment_method") -> Thing:
    """A payment method by its id, or a new one for a test token (`pm_card_visa`)."""
    if identity in TOKENS:
        return new_card(sim, TOKENS[identity])
    return sim.need("payment_method", identity, param)


def attach(sim: Sim, method: Thing, customer: Thing) -> None:
    """Give it to a customer. Raises `declined` as Stripe's check on saving does."""
    if method["customer"] not in (None, customer["id"]):
        raise invalid("The payment method you provided has already been attached to a customer.")
    if code := NUMBERS.get(method["_number"], Kind()).attach:
        raise declined(code)
    method["customer"] = customer["id"]
    sim.emit("payment_method.attached", method)


def refusal(sim: Sim, method: Thing | None, customer: str, *, present: bool = False) -> str:
    """The decline code of a charge now, "" when it goes through. `present`: the customer is there to authenticate."""
    ordered = sim.settings["decline"]
    if code := ordered.get(customer) or ordered.get("*"):
        return str(code)
    if method is None:
        return "no_payment_method"
    code = NUMBERS.get(method["_number"], Kind()).charge
    return "" if present and code == "authentication_required" else code
