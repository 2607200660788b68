"""Who may come in, as the control plane keeps it."""

from collections.abc import Mapping
from typing import Any

import msgspec

from control_plane.apps.origins import check_origins
from control_plane.apps.service import set_allowed_origins, set_anonymous, set_guests
from kernel.errors import InvalidInput
from ops.app_config.section import Items, Named, Path, Problems, convert
from ops.app_config.target import Target


class _Access(msgspec.Struct, forbid_unknown_fields=True):
    anonymous: bool
    guests: bool


class _Origins(msgspec.Struct, forbid_unknown_fields=True):
    allowed: list[str]


class AccessSection(Named):
    """`[access]`: whether guests and anonymous visitors are let in."""

    name = "access"

    async def read(self, target: Target) -> Items:
        """Both switches."""
        app = await target.app()
        return {("anonymous",): app.anonymous, ("guests",): app.guests}

    def check(self, table: Mapping[str, Any], problems: Problems) -> Items:
        """Both must be there."""
        access: _Access | None = convert(table, _Access, self.name, problems)
        return {} if access is None else {("anonymous",): access.anonymous, ("guests",): access.guests}

    async def put(self, target: Target, path: Path, value: Any) -> None:
        """Turn it."""
        turn = {"anonymous": set_anonymous, "guests": set_guests}[path[0]]
        async with target.change() as ctx:
            await turn(ctx, target.app_id, value)

    async def remove(self, target: Target, path: Path) -> None:
        """Never: the switches are always there."""
        raise AssertionError(path)


class OriginsSection(Named):
    """`[origins]`: the web pages that may connect."""

    name = "origins"
    asked_for = True
    why = "the web pages that may connect belong to one environment"

    async def read(self, target: Target) -> Items:
        """Sorted; their order means nothing."""
        return {("allowed",): sorted((await target.app()).allowed_origins)}

    def check(self, table: Mapping[str, Any], problems: Problems) -> Items:
        """Origins as browsers send them, or `*` alone."""
        origins: _Origins | None = convert(table, _Origins, self.name, problems)
        if origins is None:
            return {}
        try:
            return {("allowed",): sorted(check_origins(origins.allowed))}
        except InvalidInput as error:
            problems.add(f"{self.name}.allowed", error.message)
            return {}

    async def put(self, target: Target, path: Path, value: Any) -> None:
        """Let these in and no others."""
        async with target.change() as ctx:
            await set_allowed_origins(ctx, target.app_id, value, confirm=target.confirm)

    async def remove(self, target: Target, path: Path) -> None:
        """Never: an app always has origins."""
        raise AssertionError(path)
