"""Entries of the audit log in words for people."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from billing.money import amount_text
from billing.plans import load_catalog

_SPELLED: Final = {"api": "API"}
_MONEY: Final = {
    "app.budget_changed": "amount",
    "credit.granted": "amount",
    "invoice.finalized": "total",
}
"""By action, what is minor units of a currency."""


def action_words(action: str) -> str:
    """`api_key.created` is `API key created`."""
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
