"""The named features that a plan can turn on or off, or number. A feature that a plan does not name is not
restricted."""

from typing import Final

Feature = bool | int

FEATURES: Final[dict[str, type]] = {
    "guests": bool,
    "anonymous": bool,
    "indexes": int,
}

WORDS: Final[dict[str, str]] = {
    "guests": "Guests",
    "anonymous": "Anonymous visitors",
    "indexes": "Declared fields of each resource",
}
"""For people."""
