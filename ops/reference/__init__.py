"""The reference, generated from the code by `python -m ops.reference`: pages for people, the OpenAPI and
AsyncAPI documents, and what SDKs are made from."""

from pathlib import Path
from typing import Final

from data_plane.reference import ASYNCAPI, FILE
from ops.reference.asyncapi import asyncapi_json
from ops.reference.errors import errors_page
from ops.reference.openapi import openapi_json
from ops.reference.permissions import permissions_page
from ops.reference.protocol import protocol_files
from ops.reference.realtime import realtime_page
from ops.reference.rest import rest_page

__all__ = ["FOLDER", "files"]

FOLDER: Final = Path(__file__).parents[2] / "docs" / "reference"
PORTAL: Final = Path(__file__).parents[2] / "portal" / "docs" / "reference"
"""Copies that are shipped with the portal, which shows them."""


def files() -> dict[Path, str]:
    """Every file as it should be now."""
    pages = {
        "errors.md": errors_page(),
        "realtime.md": realtime_page(),
        "rest.md": rest_page(),
        "permissions.md": permissions_page(),
    }
    shown = {PORTAL / name: pages[name] for name in ("errors.md", "realtime.md")}
    return (
        {FOLDER / name: text for name, text in pages.items()}
        | shown
        | {FILE: openapi_json(), ASYNCAPI: asyncapi_json()}
        | protocol_files()
    )
