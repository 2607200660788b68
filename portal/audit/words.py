"""Entries of the audit log in words for people."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

_SPELLED: Final = {"api": "API"}


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


def summary(data: Mapping[str, Any]) -> str:
    """What an entry remembers, in one line: what became what, or the first two things."""
    details = dict(detail_words(data))
    if "Before" in details and "After" in details:
        return f"{details['Before']} → {details['After']}"
    return " · ".join(f"{name}: {value}" for name, value in list(details.items())[:2])


def detail_words(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Names and values of what an entry remembers beside target and app."""
    # The database keeps names in alphabetical order; what was comes before what became of it.
    for name, value in sorted(data.items(), key=lambda item: item[0] != "before"):
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        yield action_words(name), text
