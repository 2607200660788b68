"""What a part of an app's configuration is."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgspec

from ops.app_config.target import Target

Path = tuple[str, ...]
"""The names that lead to an item within its section: `("salon",)`, `("channels", "custom.topic")`."""
Items = dict[Path, Any]
"""A section's items by path: what TOML and JSON can say, without nulls."""
Whole = Mapping[str, Items]
"""Sections by name."""


class Problems:
    """What is wrong in a file, each with its place."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, path: str, what: str) -> None:
        """`what` is a sentence without the place."""
        self.found.append(f"{path}: {what}")


class Section(Protocol):
    """A part of the configuration.

    `name` is its table in the file. `asked_for` sections belong to one environment: they are in a file only where
    somebody asked for them, and a header says `why`.

    A push goes in two rounds. First each section in the registry's order has its new and changed items written, then
    in reverse order what the file does not have is removed; so a section may lean on those before it. Each call is an
    edge: it is durable when it returns, and doing it again does no harm.
    """

    name: str
    asked_for: bool
    why: str

    async def read(self, target: Target) -> Items:
        """What the app has, of its own, in one shape for one meaning but for what `normal` does."""

    def check(self, table: Mapping[str, Any], problems: Problems) -> Items:
        """The items of a table of a file; everything that can be said of it by itself is a problem."""

    def write(self, items: Items) -> dict[str, Any]:
        """The table for a file, the reverse of `check`."""

    def normal(self, items: Items, whole: Whole) -> Items:
        """The one way to say this where the rest of the configuration is `whole`."""

    def judge(self, whole: Whole, live: Whole, target: Target, problems: Problems) -> None:
        """What is wrong with the configuration as it would be (`whole`), and in the way from `live` to it."""

    def late(self, before: Any, after: Any) -> bool:
        """Whether a change of an item takes so much away that it belongs into the second round."""

    async def put(self, target: Target, path: Path, value: Any) -> None:
        """Let the item be so, whether it is there or not."""

    async def remove(self, target: Target, path: Path) -> None:
        """Let the item be no more."""


class Named:
    """A section whose items are its table's entries, and that leans on no other."""

    name: str
    asked_for = False
    why = ""

    def write(self, items: Items) -> dict[str, Any]:
        """Each item under its name."""
        return {path[0]: items[path] for path in sorted(items)}

    def normal(self, items: Items, whole: Whole) -> Items:
        """As it is."""
        return items

    def judge(self, whole: Whole, live: Whole, target: Target, problems: Problems) -> None:
        """Nothing more than `check` says."""

    def late(self, before: Any, after: Any) -> bool:
        """Never."""
        return False


def convert(value: Any, type: Any, path: str, problems: Problems) -> Any:
    """The value as that type; a problem with its place, and `None`, where it is not."""
    try:
        return msgspec.convert(value, type)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        rest = where.rstrip("`").replace("[...]", ".*")
        problems.add(path + rest, what + ".")
        return None


MOST_AT_ONCE: Final = (
    "{own} of the app and {new} more would be too many while both are there; at most {most}. Take some away first."
)


def check_room(name: str, whole: Items, live: Items, most: int, problems: Problems) -> None:
    """A problem where there would be more than `most`, at the end or on the way: what goes, goes last."""
    if len(whole) > most:
        problems.add(name, f"{len(whole)} are too many; an app has at most {most}.")
    elif len(whole.keys() | live.keys()) > most:
        new = len(whole.keys() - live.keys())
        problems.add(name, MOST_AT_ONCE.format(own=len(live), new=new, most=most))
