"""`errors.md`: every expected failure."""

import importlib
import pkgutil

import billing
import control_plane
import data_plane
import kernel
from data_plane.channels.errors import no_channel
from kernel.errors import NatterError, all_errors
from ops.reference.text import as_json, fill, paragraph, table

_CHAT = ("kernel", "data_plane")
_INSIDE = ("control_plane", "billing")
_AT_START = {"configuration_missing", "plan_file", "settings"}
"""What stops a process from starting; no caller gets it."""


def public_errors() -> list[type[NatterError]]:
    """What a caller of any API may get, by code."""
    for package in (kernel, control_plane, billing, data_plane):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)  # so that its errors exist
    known = (*_CHAT, *_INSIDE)
    return [error for error in all_errors() if error.__module__.startswith(known) and error.code not in _AT_START]


def chat_errors() -> list[type[NatterError]]:
    """Those of them that callers of the chat APIs get."""
    return [error for error in public_errors() if error.__module__.startswith(_CHAT)]


def errors_page() -> str:
    """The page."""
    return fill(
        "errors.md",
        example=as_json(no_channel().as_problem("req_01k2x7m5t1e8b9v3q4w5r6t7y8")),
        table=_table(chat_errors()),
        internal=_table([error for error in public_errors() if error.__module__.startswith(_INSIDE)]),
    )


def _table(errors: list[type[NatterError]]) -> str:
    return table(
        ["code", "status", "retryable", "meaning"],
        [[f"`{e.code}`", str(e.status), "yes" if e.retryable else "no", paragraph(e)] for e in errors],
    )
