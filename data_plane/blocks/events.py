"""Events about blocks, which only the one who blocks hears."""

from typing import Final

from data_plane.blocks.views import BlockView
from data_plane.events import Data, Place, ServerEvent


class BlockAdded(Data):
    """Data of `block.added`."""

    block: BlockView


class BlockRemoved(Data):
    """Data of `block.removed`."""

    user_id: str


EVENTS: Final = (
    ServerEvent("block.added", Place.USER, BlockAdded, "You blocked somebody, on any of your devices."),
    ServerEvent("block.removed", Place.USER, BlockRemoved, "You took a block back."),
)
