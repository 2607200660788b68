"""Declared fields of `custom`."""

from collections.abc import Mapping
from typing import Any, Final, get_args

from data_plane.indexes.service import MAX_INDEXES
from data_plane.query.fields import CUSTOM_PATH
from data_plane.query.models import IndexedResource, IndexType
from data_plane.query.parse import CUSTOM
from ops.app_config.section import Items, Named, Path, Problems, Whole, check_room, convert
from ops.app_config.target import Target

_RESOURCES: Final = get_args(IndexedResource)


class IndexesSection(Named):
    """`[indexes.channels]` and `[indexes.users]`: `"custom.topic" = "text"`. Another type builds the index anew."""

    name = "indexes"

    async def read(self, target: Target) -> Items:
        """Every declaration, ready or not."""
        return {(index.resource, index.field): index.type for index in await target.server.indexes.list()}

    def check(self, table: Mapping[str, Any], problems: Problems) -> Items:
        """Resources, fields and types."""
        items: Items = {}
        for resource, fields in table.items():
            if resource not in _RESOURCES:
                problems.add(f"{self.name}.{resource}", "there are indexes of `channels` and `users`.")
            elif convert(fields, dict[str, Any], f"{self.name}.{resource}", problems) is not None:
                for field, type in fields.items():
                    path = f'{self.name}.{resource}."{field}"'
                    if not field.startswith(CUSTOM) or not CUSTOM_PATH.fullmatch(field.removeprefix(CUSTOM)):
                        problems.add(path, "a field is `custom.` and a path of 1 to 8 names of A-Z a-z 0-9 _ -.")
                    items[(resource, field)] = convert(type, IndexType, path, problems)
        return items

    def write(self, items: Items) -> dict[str, Any]:
        """A table for each resource, empty ones too."""
        tables: dict[str, Any] = {resource: {} for resource in sorted(_RESOURCES)}
        for resource, field in sorted(items):
            tables[resource][field] = items[(resource, field)]
        return tables

    def judge(self, whole: Whole, live: Whole, target: Target, problems: Problems) -> None:
        """How many the plan allows of each resource."""
        most = target.features.get("indexes", MAX_INDEXES)
        for resource in _RESOURCES:
            check_room(f"{self.name}.{resource}", _of(whole, resource), _of(live, resource), int(most), problems)

    async def put(self, target: Target, path: Path, value: Any) -> None:
        """Declare it; one of another type goes first."""
        resource, field = path
        held = await self.read(target)
        if held.get(path, value) != value:
            await target.server.indexes.delete(resource, field)
        await target.server.indexes.put(resource, field, type=value)

    async def remove(self, target: Target, path: Path) -> None:
        """Declare it no more."""
        await target.server.indexes.delete(*path)


def _of(whole: Whole, resource: str) -> Items:
    return {path: type for path, type in whole["indexes"].items() if path[0] == resource}
