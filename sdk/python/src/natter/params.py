"""Objects within what is sent.

Generated from the API's description by `make reference`. Do not edit.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Required, TypedDict

__all__ = ["Mentions", "PatchInBatch", "TruncationMessage", "UserInBatch"]


class UserInBatch(TypedDict, total=False):
    """One user of a batch."""

    name: str | None
    image: str | None
    role: str
    custom: Mapping[str, Any]
    id: Required[str]


class PatchInBatch(TypedDict, total=False):
    """One user of a batch of changes."""

    name: str | None
    image: str | None
    role: str
    custom: Mapping[str, Any]
    id: Required[str]


class TruncationMessage(TypedDict, total=False):
    """What the system says of a truncation. `user_id`: for a server to name in whose name."""

    text: Required[str]
    custom: Mapping[str, Any]
    user_id: str | None


class Mentions(TypedDict, total=False):
    """Whom a message mentions. `channel` is everybody in it, `here` whoever is present, `roles` their members."""

    users: Sequence[str]
    """Members; whoever else was named is left out."""
    channel: bool
    here: bool
    roles: Sequence[str]
