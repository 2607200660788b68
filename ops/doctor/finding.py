"""One thing that was looked at."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """`bad` keeps Natter from working, `warning` will hurt some day; both come with a way out."""

    what: str
    status: Literal["good", "warning", "bad"]
    detail: str
    way_out: str = ""


def good(what: str, detail: str) -> Finding:
    """It is as it should be."""
    return Finding(what, "good", detail)


def warning(what: str, detail: str, way_out: str) -> Finding:
    """It works, for now."""
    return Finding(what, "warning", detail, way_out)


def bad(what: str, detail: str, way_out: str) -> Finding:
    """Natter cannot work like this."""
    return Finding(what, "bad", detail, way_out)
