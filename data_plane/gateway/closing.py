"""Why a connection ends, and what its client should do then.

Socket.IO clients do not act on WebSocket close codes, so the server first sends
`connection.closing {code, reconnect, after_ms, resync}` and then closes: the transport alone when the client shall
reconnect by itself, with a Socket.IO disconnect when it shall not.
"""

import random

import msgspec


class Closing(msgspec.Struct, frozen=True):
    """One reason. `reconnect`: whether trying again can help; `resync`: whether to resume by cursor, because events may
    have been missed; `spread_ms`: reconnects are spread over this time, so that a herd does not arrive at once."""

    code: str
    reconnect: bool
    resync: bool
    spread_ms: int
    meaning: str

    def payload(self, after_ms: int | None = None) -> dict[str, object]:
        """What the client gets; `after_ms` is drawn for each connection unless it is given."""
        after = random.randint(0, self.spread_ms) if after_ms is None else after_ms  # noqa: S311 - spreading
        return {"code": self.code, "reconnect": self.reconnect, "after_ms": after, "resync": self.resync}


SHUTDOWN = Closing("shutdown", True, True, 10_000, "The node is being restarted or moved. It answers until then.")
SLOW_CONSUMER = Closing("slow_consumer", True, True, 2_000, "The client reads more slowly than events arrive.")
DESYNCED = Closing("desynced", True, True, 2_000, "The node cannot guarantee that nothing was missed.")
TOKEN_EXPIRED = Closing("token_expired", True, True, 0, "The token ended; connect with a fresh one.")
TOKEN_REVOKED = Closing("token_revoked", False, False, 0, "The user's tokens were revoked.")
ANONYMOUS_OFF = Closing("anonymous_off", False, False, 0, "The app lets no anonymous visitors in any more.")
APP_SUSPENDED = Closing("app_suspended", False, False, 0, "The app is suspended or deleted.")
PROTOCOL_ERROR = Closing("protocol_error", False, False, 0, "The client broke the protocol.")
FLOODING = Closing("flooding", True, True, 10_000, "The client sends on and on beyond its limits.")
NOT_AUTHENTICATED = Closing("not_authenticated", True, False, 1_000, "No valid connect packet within 5 s.")

ALL = (
    SHUTDOWN,
    SLOW_CONSUMER,
    DESYNCED,
    TOKEN_EXPIRED,
    TOKEN_REVOKED,
    ANONYMOUS_OFF,
    APP_SUSPENDED,
    PROTOCOL_ERROR,
    FLOODING,
    NOT_AUTHENTICATED,
)
