"""A block as the one who made it sees it. The blocked is not told."""

from typing import TypedDict

from data_plane.blocks.models import Block
from data_plane.views import Timestamp
from kernel.clock import rfc3339


class BlockView(TypedDict):
    """A user whom the caller has blocked."""

    user_id: str
    created_at: Timestamp


class Blocks(TypedDict):
    """All whom the caller has blocked, by id."""

    blocks: list[BlockView]


def block_view(block: Block) -> BlockView:
    """The block."""
    return {"user_id": block.blocked_id, "created_at": rfc3339(block.created_at)}
