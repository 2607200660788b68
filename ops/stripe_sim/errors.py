"""Failures as Stripe writes them: `{"error": {type, code, message, param, …}}` with its status."""

from typing import Any


class StripeError(Exception):
    """An answer of 4xx or 5xx. `headers` go with it (`Stripe-Should-Retry`).

    `keep`: what was done until then stays, as the record of a payment that was tried does.
    """

    keep = False

    def __init__(self, status: int, kind: str, message: str, *, code: str = "", param: str = "", **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.headers: dict[str, str] = {}
        self.error: dict[str, Any] = {"type": kind, "message": message}
        if code:
            self.error["code"] = code
            self.error["doc_url"] = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"
        if param:
            self.error["param"] = param
        self.error |= more

    def body(self) -> dict[str, Any]:
        return {"error": self.error}


class Unfit(StripeError):
    """Parameters that do not pass validation. Stripe keeps no idempotent answer of these."""


def invalid(message: str, *, code: str = "", param: str = "") -> StripeError:
    """A request that cannot be done as asked: 400."""
    return StripeError(400, "invalid_request_error", message, code=code, param=param)


def missing(kind: str, identity: str, param: str = "id") -> StripeError:
    """A thing that is not there. Stripe answers 404 for the address itself and 400 for a parameter that names it."""
    noun = kind.rpartition(".")[2].replace("_", " ")
    status = 404 if param in ("id", "intent", "clock") else 400
    message = f"No such {noun}: '{identity}'"
    return StripeError(status, "invalid_request_error", message, code="resource_missing", param=param)


_DECLINES = {
    "insufficient_funds": "Your card has insufficient funds.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "authentication_required": "Your card was declined. This transaction requires authentication.",
}


def declined(decline_code: str, **more: Any) -> StripeError:
    """A card that was refused: 402."""
    code = decline_code if decline_code in ("expired_card", "incorrect_cvc", "authentication_required") else ""
    return StripeError(
        402,
        "card_error",
        _DECLINES.get(decline_code, "Your card was declined."),
        code=code or "card_declined",
        decline_code=decline_code,
        **more,
    )
