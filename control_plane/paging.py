"""Lists that are too long for one answer."""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items in order, and what to ask for the next ones with; `None` when there are none."""

    items: list[T]
    next_cursor: str | None = None


def pattern(search: str) -> str:
    """An `ilike` pattern, with a backslash as its escape, for that text anywhere; nothing in it is special."""
    escaped = search.strip().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
