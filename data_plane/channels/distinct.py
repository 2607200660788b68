"""Channels that are the only one of their type and members."""

from collections.abc import Sequence
from hashlib import sha256

from data_plane.channels.schemas import CreateChannel
from data_plane.grants.defaults import DIRECT
from kernel.errors import InvalidInput


def wants_distinct(wish: CreateChannel, members: Sequence[str]) -> bool:
    """Whether the wish is for the one channel of these members, whoever asked for it first.

    Two people who ask for a direct channel mean theirs; one that is asked for by an id of its own is named by that.
    Raises `InvalidInput` where nobody is named.
    """
    wanted = wish.distinct if wish.distinct is not None else wish.type == DIRECT and wish.id is None
    if wanted and not members:
        raise InvalidInput("A distinct channel is known by its members; name some.", field="members")
    return wanted


def members_digest(type: str, members: Sequence[str]) -> bytes:
    """What a distinct channel is found by, in 32 bytes, in whatever order its members are named. Neither types nor ids
    hold a line break."""
    return sha256("\n".join([type, *sorted(set(members))]).encode()).digest()
