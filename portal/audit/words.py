"""Entries of the audit log in words for people."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from billing.money import amount_text
from billing.plans import load_catalog
from billing.words import METERS

_ACTIONS: Final = {
    "api_key.exposed": "Secret key found in public",
    "app.addon_changed": "Add-on changed",
    "app.alerts_changed": "Alert thresholds changed",
    "app.budget_changed": "Budget changed",
    "app.chat_erased": "Deleted app's chat erased",
    "app.leaked_keys_changed": "Rule for leaked keys changed",
    "app.plan_changed": "Plan changed",
    "app.plan_kept": "Plan kept",
    "app.spend_guard_changed": "Choice beyond a limit changed",
    "app.terms_overridden": "Terms changed by agreement",
    "app.trial_ended": "Trial ended",
    "app.trial_kept": "Plan of the trial kept",
    "app.trial_started": "Trial started",
    "key_set.changed": "Signing keys followed their address",
    "key_set.followed": "Address of signing keys followed",
    "key_set.left": "Address of signing keys left",
    "organization.billing_details_changed": "Billing details changed",
}
"""What would read badly word by word."""
_OVER: Final = {"bill": "bill it", "throttle": "slow down", "stop": "stop"}
_SPELLED: Final = {"api": "API"}
_MONEY: Final = {
    "app.budget_changed": "amount",
    "credit.granted": "amount",
    "invoice.finalized": "total",
}
"""By action, what is minor units of a currency."""


def action_words(action: str) -> str:
    """`api_key.created` is `API key created`."""
    if action in _ACTIONS:
        return _ACTIONS[action]
    words = action.replace(".", " ").replace("_", " ").split()
    text = " ".join(_SPELLED.get(word, word) for word in words)
    return text[:1].upper() + text[1:]


def actor_words(actor: str, name: str | None) -> str:
    """Who did it: a member by name, a former one, a program."""
    if name is not None:
        return name
    kind, _, who = actor.partition(":")
    match kind:
        case "account":
            return "A former member"
        case "system":
            return f"Natter ({who})"
        case "operator":
            return f"Operator ({who})"
        case _:
            return actor.capitalize()


def summary(data: Mapping[str, Any], action: str = "") -> str:
    """What an entry remembers, in one line: what became what, or the first two things."""
    details = dict(detail_words(data, action))
    if "Before" in details and "After" in details:
        return f"{details['Before']} → {details['After']}"
    return " · ".join(f"{name}: {value}" for name, value in list(details.items())[:2])


def detail_words(data: Mapping[str, Any], action: str = "") -> Iterator[tuple[str, str]]:
    """Names and values of what an entry remembers beside target and app."""
    # The database keeps names in an order of its own; what was comes before what became of it, and money is the point.
    for name, value in sorted(data.items(), key=lambda item: item[0] not in ("before", _MONEY.get(action))):
        if name == _MONEY.get(action) and isinstance(value, int):
            yield action_words(name), amount_text(value, data.get("currency") or load_catalog().currency)
        elif name == "meter" and value in METERS:
            yield "Meter", METERS[value]
        elif name == "over" and value in _OVER:
            yield "Then", _OVER[value]
        elif name == "thresholds" and isinstance(value, list):
            yield "Thresholds", ", ".join(f"{one} %" for one in value) or "none"
        else:
            yield action_words(name), _plain(value)


def _plain(value: Any) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(_plain, value))
        case dict():
            return ", ".join(f"{name}: {_plain(one)}" for name, one in value.items())
        case _:
            return str(value)
