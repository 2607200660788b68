"""What a browser says of itself, in words."""

from dataclasses import dataclass
from typing import Final

_BROWSERS: Final = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("HeadlessChrome/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("iPhone", "iPhone", True),
    ("iPad", "iPad", True),
    ("Android", "Android", True),
    ("Windows", "Windows", False),
    ("Macintosh", "macOS", False),
    ("CrOS", "ChromeOS", False),
    ("Linux", "Linux", False),
)
"""What is looked for, what it is called, whether one holds it in a hand; the first that is found counts."""


@dataclass(frozen=True, slots=True)
class Device:
    """`Firefox on Linux`."""

    words: str
    hand_held: bool


def describe(user_agent: str) -> Device:
    """A guess: browsers imitate each other."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system, hand_held = next(((name, hand) for mark, name, hand in _SYSTEMS if mark in user_agent), ("", False))
    words = (
        f"{browser} on {system}" if browser and system else browser or system or user_agent[:60] or "Unknown browser"
    )
    return Device(words, hand_held)
