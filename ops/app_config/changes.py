"""What is different between two configurations."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ops.app_config.registry import SECTIONS
from ops.app_config.section import Items

Sign = Literal["+", "~", "-"]


@dataclass(frozen=True, slots=True)
class Change:
    """An item that would be new (`+`), gone (`-`), or within an item one place that would say something else (`~`).

    `path` leads there from the section: of `~` into the item. `before` and `after` are null where there is nothing.
    """

    section: str
    sign: Sign
    path: tuple[str, ...]
    before: Any
    after: Any

    def is_of(self, section: str, item: tuple[str, ...]) -> bool:
        """Whether it is within this item."""
        return self.section == section and self.path[: len(item)] == item

    def line(self) -> str:
        """For a person: `~ team.grants.member: + message.send, - member.add`."""
        place = ".".join(name if "." not in name else f'"{name}"' for name in self.path)
        if self.sign == "-":
            return f"- {place}"
        if self.sign == "+":
            return f"+ {place}: {_brief(self.after)}"
        return f"~ {place}: {_moved(self.before, self.after)}"

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {
            "section": self.section,
            "change": {"+": "added", "~": "changed", "-": "removed"}[self.sign],
            "path": list(self.path),
            "before": self.before,
            "after": self.after,
        }


def difference(before: Mapping[str, Items], after: Mapping[str, Items]) -> list[Change]:
    """What would change, by section and path; sections that are not in `after` stay."""
    return [
        change
        for section in SECTIONS
        if section.name in after
        for change in _of_section(section.name, before[section.name], after[section.name])
    ]


def _of_section(name: str, before: Items, after: Items) -> Iterator[Change]:
    for path in sorted(before.keys() | after.keys()):
        if path not in before:
            yield Change(name, "+", path, None, after[path])
        elif path not in after:
            yield Change(name, "-", path, before[path], None)
        else:
            for inside, old, new in _within(before[path], after[path]):
                yield Change(name, "~", (*path, *inside), old, new)


def _within(before: Any, after: Any) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            for inside, old, new in _within(before.get(name), after.get(name)):
                yield (name, *inside), old, new
    elif before != after:
        yield (), before, after


def _moved(before: Any, after: Any) -> str:
    if isinstance(before, list) and isinstance(after, list):
        words = [f"+ {one}" for one in after if one not in before] + [f"- {one}" for one in before if one not in after]
        return ", ".join(words)
    return f"{_brief(before)} → {_brief(after)}"


def _brief(value: Any) -> str:
    match value:
        case None:
            return "(default)"
        case str():
            return value
        case list():
            return ", ".join(map(str, value)) or "(nothing)"
        case dict():
            return "; ".join(f"{name} {_brief(inner)}" for name, inner in sorted(value.items())) or "(nothing)"
        case _:
            return json.dumps(value)
