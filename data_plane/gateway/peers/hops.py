"""Proof that a request was passed on by a process of this shard, and how far it has come.

The header is `<way>:<seconds since 1970>:<mac>`, made with a key that derives from the master key, for one session.
A request takes at most two steps: to the owner's node, then to the right worker of it. So there are no loops.
"""

import hashlib
import hmac
from typing import Final, Literal

from kernel.clock import Clock

HEADER: Final = b"x-natter-hop"
LIFETIME: Final = 30.0
"""Seconds that a proof holds; also the most that nodes' clocks may differ."""

Way = Literal["node", "worker"]
"""The step that a request has taken: from another node, or from another worker of this one."""


class Hops:
    """Makes proofs and checks them."""

    def __init__(self, key: bytes, clock: Clock) -> None:
        self._key = key
        self._clock = clock

    def prove(self, way: Way, sid: str) -> bytes:
        """The header's value for a request of this session."""
        at = str(int(self._clock.now().timestamp()))
        return f"{way}:{at}:{self._mac(way, at, sid)}".encode()

    def check(self, value: bytes | str | None, sid: str) -> Way | None:
        """The step that a request has taken; null when it comes from outside, whatever it says."""
        if not value:
            return None
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        way, _, rest = text.partition(":")
        at, _, mac = rest.partition(":")
        if way not in ("node", "worker") or not (at.isascii() and at.isdigit()) or len(at) > 12:
            return None
        if not hmac.compare_digest(mac.encode("latin-1"), self._mac(way, at, sid).encode()):
            return None
        if abs(self._clock.now().timestamp() - int(at)) > LIFETIME:
            return None
        return "node" if way == "node" else "worker"

    def _mac(self, way: str, at: str, sid: str) -> str:
        return hmac.new(self._key, f"{way}:{at}:{sid}".encode(), hashlib.sha256).hexdigest()
