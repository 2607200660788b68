"""The contract of a recount: what a shard's chat database says that an app used. `ops` asks it, billing compares."""

from dataclasses import dataclass

from billing.usage.recompute import Recount


@dataclass(frozen=True, slots=True)
class ChatCount:
    """Units by meter that the chat's own tables hold for a month, and those that are on their way to the ledger.

    `storage_bytes` is what is stored now, and so known of the running month alone: of others it is left out.
    """

    counted: dict[str, int]
    waiting: dict[str, int]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One meter by all counts; `chat` is `None` where the chat cannot say."""

    meter: str
    chat: int | None
    waiting: int
    ledger: int
    rollup: int

    @property
    def agrees(self) -> bool:
        """Whether all counts say the same: the chat's is the ledger's and what is on its way."""
        return self.ledger == self.rollup and (self.chat is None or self.chat == self.ledger + self.waiting)


def compare(recount: Recount, chat: ChatCount) -> list[Comparison]:
    """By meter, in the ledger's order."""
    return [
        Comparison(meter, chat.counted.get(meter), chat.waiting.get(meter, 0), total, recount.rollup[meter])
        for meter, total in recount.ledger.items()
    ]
