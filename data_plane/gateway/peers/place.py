"""Where a session lives, as its `sid` tells: `<node's tag>.<worker>-<secret>`."""

import base64
import hashlib
import secrets
from typing import NamedTuple

_TAG_LENGTH = 8


class Place(NamedTuple):
    """One process. `tag` stands for its node without telling clients the node's name."""

    tag: str
    worker: int

    @classmethod
    def of_node(cls, shard_id: str, node_name: str, worker: int = 0) -> "Place":
        """The place of a node's worker."""
        digest = hashlib.blake2b(f"{shard_id}/{node_name}".encode(), digest_size=5).digest()
        return cls(base64.b32encode(digest).decode().lower()[:_TAG_LENGTH], worker)

    def new_sid(self) -> str:
        """A fresh session's id: nobody can guess it, and everybody can see where it belongs."""
        return f"{self.tag}.{self.worker}-{secrets.token_urlsafe(15)}"


def place_of(sid: str) -> Place | None:
    """The owner that a `sid` names; null for what no server of ours made."""
    owner, dash, _ = sid.partition("-")
    tag, dot, worker = owner.partition(".")
    if not dash or not dot or len(tag) != _TAG_LENGTH or not (worker.isascii() and worker.isdigit()) or len(worker) > 3:
        return None
    return Place(tag, int(worker))
