"""What is limited, to how much, and which policies a request or event falls under. The one table.

Plans override rates through the app's snapshot; what a plan does not name has the rate of the table. A policy's name is
`group.key`: the group says what is counted, the key whose bucket it is.
"""

from typing import Final, Literal

import msgspec

from data_plane.tenancy.quotas import is_throttled
from kernel.contracts import AppSnapshot
from kernel.gcra import Rate, rate

Key = Literal["user", "app", "channel", "ip", "connection"]
Away = Literal["local", "open", "refuse"]
"""What holds while Redis is away: each node counts for itself, nobody counts, or nothing passes."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """One limit.

    `exact` policies ask Redis on each request. The others are judged from the node's memory and settled with Redis in
    the background, up to `slack` units later: in any time t at most `burst + rate·t + (nodes − 1)·slack` units pass.
    """

    name: str
    key: Key
    rate: Rate
    counts: str
    """What a unit is, for people."""
    away: Away = "local"
    exact: bool = False


def slack_of(limit: Rate) -> int:
    """Units that a node may let pass before it has told Redis of them."""
    return max(1, limit.burst // 10)


MESSAGES_USER: Final = Policy(
    name="messages.user",
    key="user",
    rate=rate(10, 50),
    counts="messages sent, edited, deleted and reacted to by one user",
)
MESSAGES_APP: Final = Policy(
    name="messages.app",
    key="app",
    rate=rate(1_000, 5_000),
    counts="messages sent, edited, deleted and reacted to in the app",
)
MESSAGES_CHANNEL: Final = Policy(
    name="messages.channel", key="channel", rate=rate(100, 500), counts="messages sent to one channel"
)
MESSAGES_SLOW: Final = Policy(
    name="messages.slow",
    key="channel",
    # Each slow channel has its own.
    rate=Rate(1, 1),
    counts="messages sent by one member to a slow channel",
    exact=True,
)
REQUESTS_USER: Final = Policy(
    name="requests.user", key="user", rate=rate(50, 250), counts="other requests and socket events of one user"
)
REQUESTS_APP: Final = Policy(
    name="requests.app", key="app", rate=rate(1_000, 5_000), counts="other requests and socket events of the app"
)
SYNC_USER: Final = Policy(name="sync.user", key="user", rate=rate(5, 100), counts="syncs of one user")
TOKENS_APP: Final = Policy(
    name="tokens.app",
    key="app",
    rate=rate(200, 2_000),
    counts="tokens made and revoked by the app's server",
    # Without tokens nobody signs in, and whoever asks has shown a secret key.
    away="open",
    exact=True,
)
ANONYMOUS_IP: Final = Policy(
    name="anonymous.ip",
    key="ip",
    # One address of a mobile carrier stands for tens of thousands of people who refresh each quarter of an hour.
    rate=rate(50, 1_000),
    counts="requests of one address that show no credential, or a wrong one",
    exact=True,
)
DOCUMENTS_IP: Final = Policy(
    name="documents.ip",
    key="ip",
    rate=rate(5, 100),
    counts="copies of the API's description for one address",
    # Large, public, and in nobody's way: a shard in trouble need not serve it uncounted.
    away="refuse",
    exact=True,
)
GUESTS_IP: Final = Policy(
    name="guests.ip",
    key="ip",
    # An address may be a conference's, or a carrier's; what keeps an app from being filled is its own limit.
    rate=rate(1, 50),
    counts="guests that come in from one address",
    exact=True,
)
GUESTS_APP: Final = Policy(name="guests.app", key="app", rate=rate(20, 500), counts="guests that come into the app")
VISITORS_IP: Final = Policy(
    name="visitors.ip",
    key="ip",
    # An address may be a carrier's, with thousands who watch the same stream and come back together.
    rate=rate(50, 1_000),
    counts="requests, connections and socket events of anonymous visitors at one address",
)
VISITORS_APP: Final = Policy(
    name="visitors.app",
    key="app",
    # Of their own, so that no crowd of visitors takes anything from the app's users and server.
    rate=rate(1_000, 5_000),
    counts="requests, connections and socket events of the app's anonymous visitors",
)
CUSTOM_USER: Final = Policy(
    name="custom.user", key="user", rate=rate(10, 50), counts="events of the app's own sent by one user"
)
CUSTOM_CHANNEL: Final = Policy(
    name="custom.channel",
    key="channel",
    # Each reaches everybody who watches.
    rate=rate(50, 250),
    counts="events of the app's own sent to one channel",
)
EVENTS_CONNECTION: Final = Policy(
    name="events.connection",
    key="connection",
    rate=rate(50, 250),
    counts="typing and other passing events of one connection, counted by its node alone",
)

POLICIES: Final = (
    MESSAGES_USER,
    MESSAGES_APP,
    MESSAGES_CHANNEL,
    REQUESTS_USER,
    REQUESTS_APP,
    SYNC_USER,
    TOKENS_APP,
    ANONYMOUS_IP,
    DOCUMENTS_IP,
    GUESTS_IP,
    GUESTS_APP,
    VISITORS_IP,
    VISITORS_APP,
    CUSTOM_USER,
    CUSTOM_CHANNEL,
    EVENTS_CONNECTION,
)
BY_NAME: Final = {policy.name: policy for policy in POLICIES}


class Group(msgspec.Struct, frozen=True, eq=False):
    """Policies of a kind of request: a user's, those of the whole app, and those of who is nobody yet. Equal to itself
    alone, so that it is found quickly in a table."""

    user: tuple[Policy, ...] = ()
    app: tuple[Policy, ...] = ()
    ip: tuple[Policy, ...] = ()


MESSAGES: Final = Group(user=(MESSAGES_USER,), app=(MESSAGES_APP,))
"""`messages.channel` comes on top where a message is sent: by REST and socket alike."""
REQUESTS: Final = Group(user=(REQUESTS_USER,), app=(REQUESTS_APP,))
SYNC: Final = Group(user=(SYNC_USER,), app=(REQUESTS_APP,))
CUSTOM: Final = Group(user=(CUSTOM_USER,), app=(REQUESTS_APP,))
"""`custom.channel` comes on top, as for messages."""
TOKENS: Final = Group(app=(TOKENS_APP,))
ANONYMOUS: Final = Group(ip=(ANONYMOUS_IP,))
GUESTS: Final = Group(ip=(GUESTS_IP,))
"""`guests.app` comes on top, once it is known which app it is."""
DOCUMENTS: Final = Group(ip=(DOCUMENTS_IP,))

OPERATIONS: Final = {
    "sendMessage": MESSAGES,
    "editMessage": MESSAGES,
    "deleteMessage": MESSAGES,
    "restoreMessage": MESSAGES,
    "addReaction": MESSAGES,
    "removeReaction": MESSAGES,
    "pinMessage": MESSAGES,
    "unpinMessage": MESSAGES,
    "sendEvent": CUSTOM,
    "sendUserEvent": CUSTOM,
    "sync": SYNC,
    "mintTokens": TOKENS,
    "revokeUser": TOKENS,
    "refreshTokens": ANONYMOUS,
    "createGuest": GUESTS,
    "getDescription": DOCUMENTS,
    "getEventDescription": DOCUMENTS,
}
"""REST by operation id; every other is one of `REQUESTS`."""
EVENTS: Final = {
    "message.send": MESSAGES,
    "message.update": MESSAGES,
    "message.delete": MESSAGES,
    "message.restore": MESSAGES,
    "reaction.add": MESSAGES,
    "reaction.remove": MESSAGES,
    "message.pin": MESSAGES,
    "message.unpin": MESSAGES,
    "event.send": CUSTOM,
    "sync": SYNC,
}
"""Socket events; every other is one of `REQUESTS`. Those that are answered from memory have `EVENTS_CONNECTION`."""


THROTTLED: Final = ("messages.app", "requests.app", "tokens.app", "guests.app")
"""What goes more slowly once a limit is reached whose plan or customer says `throttle`."""
SLOWER: Final = 10
"""How many times."""


class AppLimits(msgspec.Struct, frozen=True):
    """The rates of one app, by policy; made once for each snapshot of it."""

    rates: dict[str, Rate]


def limits_of(app: AppSnapshot) -> AppLimits:
    """The table with the plan's rates over it. A rate that this release does not know of is left out."""
    rates = {policy.name: policy.rate for policy in POLICIES}
    for one in app.limits:
        if one.policy in rates and BY_NAME[one.policy].key != "ip":
            rates[one.policy] = rate(one.per_second, one.burst)
    if is_throttled(app):
        for name in THROTTLED:
            slow = rates[name]
            rates[name] = rate(max(1.0, slow.per_second / SLOWER), max(1, slow.burst // SLOWER))
    return AppLimits(rates)
