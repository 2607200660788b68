"""How each REST operation of the data plane is swept. A new route needs its lines here, or the sweep fails."""

from data_plane.paging import encode_cursor
from tests.invariants.chat.tries import Expect, Open, Try
from tests.invariants.chat.world import LIVESTREAM, PERSON, THEIR_OWN
from tests.invariants.coverage import Operation

SERVERS_ONLY = Expect(403, free=403)
USERS_ONLY = Expect(403, free=403)
HIDDEN = Expect(200, {"channel": 404, "message": 404, "user": 404})
OWN = Expect(200, free=200)
GONE = Expect(204, {"channel": 404}, free=204)
OWNER_STAYS = Expect(409, {"channel": 404})
"""Whoever tries is the only owner of its own channel, and there are others in it."""

_TOKENS = ("access_token", "refresh_token")

REST: dict[Operation, list[Try] | Open] = {
    ("GET", "/healthz"): Open("says that the process answers"),
    ("GET", "/readyz"): Open("says whether the node takes traffic"),
    ("GET", "/metrics"): Open("numbers of the process, none by tenant"),
    ("GET", "/v1/openapi.json"): Open("the reference"),
    ("GET", "/v1/asyncapi.json"): Open("the reference of events"),
    # -- tokens --------------------------------------------------------------------------------------------------------
    ("POST", "/v1/tokens"): [
        Try(
            lambda k: "/v1/tokens",
            lambda k: {"user_id": k.user},
            server=Expect(201, free=201),
            user=SERVERS_ONLY,
            varies=_TOKENS,
        ),
    ],
    # Its only credential is the token in the body, so `test_rest.py` has tests of its own for it.
    ("POST", "/v1/tokens/refresh"): [],
    # Its only credential is the key in the body, likewise.
    ("POST", "/v1/guests"): [],
    ("POST", "/v1/users/{user_id}/revoke"): [
        Try(lambda k: f"/v1/users/{k.user}/revoke", server=OWN, user=SERVERS_ONLY),
    ],
    # -- users ---------------------------------------------------------------------------------------------------------
    ("POST", "/v1/users"): [
        Try(
            lambda k: "/v1/users",
            lambda k: {"users": [{"id": k.user, "name": "mine"}]},
            server=OWN,
            user=SERVERS_ONLY,
        ),
    ],
    ("GET", "/v1/users/{user_id}"): [
        Try(lambda k: f"/v1/users/{k.user}", server=HIDDEN, user=HIDDEN),
        Try(lambda k: f"/v1/users/{PERSON}", server=OWN, user=OWN),
    ],
    ("PUT", "/v1/users/{user_id}"): [
        Try(
            lambda k: f"/v1/users/{k.user}",
            lambda k: {"name": "mine"},
            server=Expect(200, free=201),
            user=SERVERS_ONLY,
        ),
    ],
    ("PATCH", "/v1/users/{user_id}"): [
        Try(lambda k: f"/v1/users/{k.user}", lambda k: {"name": "mine"}, server=HIDDEN, user=SERVERS_ONLY),
        Try(lambda k: f"/v1/users/{PERSON}", lambda k: {"name": "mine"}, server=OWN, user=OWN),
    ],
    ("GET", "/v1/users/me"): [Try(lambda k: "/v1/users/me", server=USERS_ONLY, user=OWN)],
    ("PATCH", "/v1/users/me"): [
        Try(lambda k: "/v1/users/me", lambda k: {"name": "mine"}, server=USERS_ONLY, user=OWN),
    ],
    ("PATCH", "/v1/users"): [
        Try(
            lambda k: "/v1/users",
            lambda k: {"users": [{"id": k.user, "name": "mine"}]},
            server=Expect(200, {"user": 422}),
            user=SERVERS_ONLY,
        ),
    ],
    ("POST", "/v1/users/query"): [
        Try(lambda k: "/v1/users/query", lambda k: {"filter": {"id": k.user}, "explain": True}, server=OWN, user=OWN),
        Try(lambda k: "/v1/users/query", lambda k: {"filter": {"name": {"$autocomplete": "c"}}}, server=OWN, user=OWN),
    ],
    ("POST", "/v1/users/{user_id}/deactivate"): [
        Try(lambda k: f"/v1/users/{k.user}/deactivate", server=HIDDEN, user=SERVERS_ONLY),
    ],
    ("POST", "/v1/users/{user_id}/reactivate"): [
        Try(lambda k: f"/v1/users/{k.user}/reactivate", server=HIDDEN, user=SERVERS_ONLY),
    ],
    ("GET", "/v1/users/{user_id}/presence"): [
        Try(lambda k: f"/v1/users/{k.user}/presence", server=HIDDEN, user=HIDDEN)
    ],
    ("PUT", "/v1/users/{user_id}/presence"): [
        Try(lambda k: f"/v1/users/{k.user}/presence", lambda k: {"text": "mine"}, server=HIDDEN, user=SERVERS_ONLY),
        Try(lambda k: f"/v1/users/{PERSON}/presence", lambda k: {"text": "mine"}, user=OWN),
    ],
    ("POST", "/v1/users/{user_id}/events"): [
        Try(
            lambda k: f"/v1/users/{k.user}/events",
            lambda k: {"type": "mine"},
            server=Expect(204, {"user": 404}),
            user=SERVERS_ONLY,
        ),
    ],
    ("POST", "/v1/channels/{channel_id}/events"): [
        Try(lambda k: f"/v1/channels/{k.channel}/events", lambda k: {"type": "mine"}, server=GONE, user=GONE),
        Try(
            lambda k: f"/v1/channels/{k.channel}/events",
            lambda k: {"type": "mine", "user_id": k.user},
            server=Expect(204, {"channel": 404, "user": 422}),
            user=Expect(403, {"channel": 404}, free=403),
        ),
    ],
    ("POST", "/v1/presence/query"): [
        Try(
            lambda k: "/v1/presence/query",
            lambda k: {"user_ids": [k.user]},
            server=Expect(200, {"user": 422}),
            user=Expect(200, {"user": 422}),
        ),
    ],
    ("GET", "/v1/users/me/blocks"): [Try(lambda k: "/v1/users/me/blocks", server=USERS_ONLY, user=OWN)],
    ("PUT", "/v1/users/me/blocks/{user_id}"): [
        Try(lambda k: f"/v1/users/me/blocks/{k.user}", server=USERS_ONLY, user=Expect(201, {"user": 422})),
    ],
    ("DELETE", "/v1/users/me/blocks/{user_id}"): [
        Try(lambda k: f"/v1/users/me/blocks/{k.user}", server=USERS_ONLY, user=Expect(204, free=204)),
    ],
    # -- indexes -------------------------------------------------------------------------------------------------------
    ("GET", "/v1/indexes"): [Try(lambda k: "/v1/indexes", server=OWN, user=SERVERS_ONLY)],
    ("GET", "/v1/indexes/{resource}/{field}"): [
        Try(lambda k: "/v1/indexes/channels/custom.note", server=Expect(404), user=SERVERS_ONLY),
    ],
    ("PUT", "/v1/indexes/{resource}/{field}"): [
        Try(
            lambda k: "/v1/indexes/users/custom.note",
            lambda k: {"type": "text"},
            server=Expect(201),
            user=SERVERS_ONLY,
        ),
    ],
    ("DELETE", "/v1/indexes/{resource}/{field}"): [
        Try(lambda k: "/v1/indexes/channels/custom.note", server=Expect(204), user=SERVERS_ONLY),
    ],
    # -- channels ------------------------------------------------------------------------------------------------------
    ("POST", "/v1/channels"): [
        Try(
            lambda k: "/v1/channels",
            lambda k: {"id": k.channel},
            server=Expect(409, free=201),
            user=Expect(409, free=201),
        ),
        Try(
            lambda k: "/v1/channels",
            lambda k: {"members": [k.user]},
            server=Expect(201, {"user": 422}),
            user=Expect(201, {"user": 422}),
            varies=("id",),
        ),
        Try(
            lambda k: "/v1/channels",
            lambda k: {"type": THEIR_OWN},
            server=Expect(422),
            user=Expect(422),
        ),
        Try(
            lambda k: "/v1/channels",
            lambda k: {"user_id": k.user},
            server=Expect(201, {"user": 422}),
            user=SERVERS_ONLY,
            varies=("id",),
        ),
    ],
    ("GET", "/v1/channels"): [
        Try(lambda k: "/v1/channels?limit=100", server=OWN, user=OWN),
        Try(lambda k: f"/v1/channels?limit=1&cursor={encode_cursor('channels', k.channel)}", server=OWN, user=OWN),
        Try(lambda k: f"/v1/channels?user_id={k.user}", server=OWN, user=SERVERS_ONLY),
        Try(lambda k: "/v1/channels?archived=any&hidden=any&limit=100", server=OWN, user=OWN),
    ],
    ("POST", "/v1/channels/query"): [
        Try(
            lambda k: "/v1/channels/query",
            lambda k: {"filter": {"id": {"$in": [k.channel, "nothing"]}}, "explain": True},
            server=OWN,
            user=OWN,
        ),
        Try(
            lambda k: "/v1/channels/query",
            lambda k: {"filter": {"members": {"$contains": k.user}, "name": {"$autocomplete": "c"}}},
            server=OWN,
            user=OWN,
        ),
        Try(
            lambda k: "/v1/channels/query",
            lambda k: {"filter": {"custom.note": {"$exists": True}}, "user_id": k.user},
            server=OWN,
            user=SERVERS_ONLY,
        ),
    ],
    ("GET", "/v1/channels/{channel_id}"): [
        Try(lambda k: f"/v1/channels/{k.channel}", server=HIDDEN, user=HIDDEN),
    ],
    ("PATCH", "/v1/channels/{channel_id}"): [
        Try(lambda k: f"/v1/channels/{k.channel}", lambda k: {"name": "mine"}, server=HIDDEN, user=HIDDEN),
        Try(lambda k: f"/v1/channels/{k.channel}", lambda k: {"grants": {"guest": []}}, server=HIDDEN, user=HIDDEN),
    ],
    ("POST", "/v1/channels/{channel_id}/truncate"): [
        Try(lambda k: f"/v1/channels/{k.channel}/truncate", lambda k: {"before": 1}, server=HIDDEN, user=HIDDEN),
        Try(
            lambda k: f"/v1/channels/{k.channel}/truncate",
            lambda k: {"message": {"text": "mine", "user_id": k.user}},
            server=Expect(200, {"channel": 404, "user": 422}),
            user=SERVERS_ONLY,
            varies=("created_at", "updated_at"),
        ),
    ],
    ("DELETE", "/v1/channels/{channel_id}"): [
        Try(lambda k: f"/v1/channels/{k.channel}", server=GONE, user=GONE),
    ],
    # -- members -------------------------------------------------------------------------------------------------------
    ("GET", "/v1/channels/{channel_id}/members"): [
        Try(lambda k: f"/v1/channels/{k.channel}/members", server=HIDDEN, user=HIDDEN),
        Try(
            lambda k: f"/v1/channels/{k.channel}/members?limit=1&cursor={encode_cursor('members', k.user)}",
            server=Expect(200, {"channel": 404}, free=200),
            user=Expect(200, {"channel": 404}, free=200),
        ),
    ],
    ("GET", "/v1/channels/{channel_id}/watchers"): [
        Try(lambda k: f"/v1/channels/{k.channel}/watchers", server=HIDDEN, user=HIDDEN),
        Try(
            lambda k: f"/v1/channels/{k.channel}/watchers?cursor={encode_cursor('watchers', k.user)}",
            server=Expect(200, {"channel": 404}, free=200),
            user=Expect(200, {"channel": 404}, free=200),
        ),
    ],
    ("POST", "/v1/channels/{channel_id}/members/query"): [
        Try(
            lambda k: f"/v1/channels/{k.channel}/members/query",
            lambda k: {"filter": {"user_id": k.user}},
            server=Expect(200, {"channel": 404}, free=200),
            user=Expect(200, {"channel": 404}, free=200),
        ),
    ],
    ("POST", "/v1/channels/{channel_id}/members"): [
        Try(
            lambda k: f"/v1/channels/{k.channel}/members",
            lambda k: {"user_ids": [k.user]},
            server=Expect(200, {"channel": 404, "user": 422}),
            user=Expect(200, {"channel": 404, "user": 422}),
        ),
    ],
    ("PUT", "/v1/channels/{channel_id}/members/{user_id}"): [
        Try(
            lambda k: f"/v1/channels/{k.channel}/members/{k.user}",
            lambda k: {"role": "owner"},
            server=Expect(200, {"channel": 404, "user": 422}),
            user=Expect(200, {"channel": 404, "user": 422}),
        ),
    ],
    ("PATCH", "/v1/channels/{channel_id}/members/{user_id}"): [
        Try(
            lambda k: f"/v1/channels/{k.channel}/members/{k.user}",
            lambda k: {"set": {"note": "mine"}},
            server=Expect(200, {"channel": 404, "user": 404}),
            user=Expect(200, {"channel": 404, "user": 404}),
        ),
    ],
    ("DELETE", "/v1/channels/{channel_id}/members/{user_id}"): [
        Try(lambda k: f"/v1/channels/{k.channel}/members/{k.user}", server=GONE, user=GONE),
        Try(lambda k: f"/v1/channels/{k.channel}/members/{PERSON}", server=GONE, user=OWNER_STAYS),
    ],
    ("POST", "/v1/channels/{channel_id}/leave"): [
        Try(
            lambda k: f"/v1/channels/{k.channel}/leave",
            lambda k: {"user_id": k.user},
            server=GONE,
            user=SERVERS_ONLY,
        ),
        Try(lambda k: f"/v1/channels/{k.channel}/leave", user=OWNER_STAYS),
    ],
    ("POST", "/v1/channels/{channel_id}/join"): [
        Try(
            lambda k: f"/v1/channels/{k.channel}/join",
            lambda k: {"user_id": k.user},
            server=HIDDEN,
            user=SERVERS_ONLY,
        ),
        Try(lambda k: f"/v1/channels/{k.channel}/join", user=HIDDEN),
        Try(lambda k: f"/v1/channels/{LIVESTREAM}/join", user=Expect(404)),
    ],
    ("POST", "/v1/channels/{channel_id}/invites"): [
        Try(
            lambda k: f"/v1/channels/{k.channel}/invites",
            lambda k: {"user_ids": [k.user]},
            server=Expect(200, {"channel": 404, "user": 422}),
            user=Expect(200, {"channel": 404, "user": 422}),
        ),
    ],
    ("GET", "/v1/channels/{channel_id}/invites"): [
        Try(lambda k: f"/v1/channels/{k.channel}/invites", server=HIDDEN, user=HIDDEN),
    ],
    ("DELETE", "/v1/channels/{channel_id}/invites/{user_id}"): [
        Try(lambda k: f"/v1/channels/{k.channel}/invites/{k.user}", server=GONE, user=GONE),
    ],
    ("GET", "/v1/invites"): [
        Try(lambda k: "/v1/invites", user=OWN),
        Try(lambda k: f"/v1/invites?user_id={k.user}", server=OWN, user=SERVERS_ONLY),
    ],
    ("POST", "/v1/invites/{channel_id}/accept"): [
        Try(lambda k: f"/v1/invites/{k.channel}/accept", lambda k: {}, user=Expect(404, {"channel": 404})),
    ],
    ("POST", "/v1/invites/{channel_id}/reject"): [
        Try(lambda k: f"/v1/invites/{k.channel}/reject", lambda k: {}, user=Expect(404, {"channel": 404})),
    ],
    ("PATCH", "/v1/channels/{channel_id}/membership"): [
        Try(lambda k: f"/v1/channels/{k.channel}/membership", lambda k: {"archived": True}, user=HIDDEN),
        Try(
            lambda k: f"/v1/channels/{k.channel}/membership",
            lambda k: {"pinned": True, "user_id": k.user},
            server=HIDDEN,
            user=SERVERS_ONLY,
        ),
    ],
    # -- channel types and roles ---------------------------------------------------------------------------------------
    # Their names are in no kit; the victim's own are of nobody here.
    ("GET", "/v1/channel-types"): [Try(lambda k: "/v1/channel-types", server=OWN, user=SERVERS_ONLY)],
    ("GET", "/v1/channel-types/{name}"): [
        Try(lambda k: f"/v1/channel-types/{THEIR_OWN}", server=Expect(404), user=SERVERS_ONLY),
    ],
    ("PUT", "/v1/channel-types/{name}"): [
        Try(lambda k: "/v1/channel-types/mine", lambda k: {"grants": {}}, server=Expect(201), user=SERVERS_ONLY),
        Try(
            lambda k: "/v1/channel-types/mine",
            lambda k: {"grants": {THEIR_OWN: []}},
            server=Expect(422),
            user=SERVERS_ONLY,
        ),
    ],
    ("DELETE", "/v1/channel-types/{name}"): [
        Try(lambda k: f"/v1/channel-types/{THEIR_OWN}", server=Expect(404), user=SERVERS_ONLY),
    ],
    ("GET", "/v1/roles"): [Try(lambda k: "/v1/roles", server=OWN, user=SERVERS_ONLY)],
    ("GET", "/v1/roles/{name}"): [
        Try(lambda k: f"/v1/roles/{THEIR_OWN}", server=Expect(404), user=SERVERS_ONLY),
    ],
    ("PUT", "/v1/roles/{name}"): [
        Try(
            lambda k: "/v1/roles/mine",
            lambda k: {"scopes": ["app"], "grants": []},
            server=Expect(201),
            user=SERVERS_ONLY,
        ),
    ],
    ("DELETE", "/v1/roles/{name}"): [
        Try(lambda k: f"/v1/roles/{THEIR_OWN}", server=Expect(404), user=SERVERS_ONLY),
    ],
    # -- messages ------------------------------------------------------------------------------------------------------
    ("POST", "/v1/channels/{channel_id}/messages"): [
        Try(
            lambda k: f"/v1/channels/{k.channel}/messages",
            lambda k: {"id": k.message, "text": "mine", "user_id": PERSON},
            # An id that the victim has used is as free as any other.
            server=Expect(409, {"channel+message": 404, "channel": 409}, free=201),
            user=Expect(409, {"channel+message": 404, "channel": 409}, free=201),
        ),
        Try(
            lambda k: f"/v1/channels/{k.channel}/messages",
            lambda k: {"text": "mine", "user_id": PERSON, "quoted_id": k.message},
            server=Expect(201, {"channel": 404, "message": 404}),
            user=Expect(201, {"channel": 404, "message": 404}),
            varies=("id",),
        ),
        Try(
            lambda k: f"/v1/channels/{k.channel}/messages",
            lambda k: {"text": "mine", "user_id": PERSON, "mentions": {"users": [k.user]}},
            # Whoever is no member is left out of what is mentioned, whether there is such a user or not.
            server=Expect(201, {"channel": 404}, free=201),
            user=Expect(201, {"channel": 404}, free=201),
            varies=("id",),
        ),
        Try(
            lambda k: f"/v1/channels/{k.channel}/messages",
            lambda k: {"text": "mine", "user_id": k.user},
            server=Expect(201, {"channel": 404, "user": 422}),
            user=SERVERS_ONLY,
            varies=("id",),
        ),
    ],
    ("GET", "/v1/channels/{channel_id}/messages"): [
        Try(lambda k: f"/v1/channels/{k.channel}/messages", server=HIDDEN, user=HIDDEN),
        Try(lambda k: f"/v1/channels/{k.channel}/messages?before={k.message}", server=HIDDEN, user=HIDDEN),
        Try(lambda k: f"/v1/channels/{k.channel}/messages?after={k.message}", server=HIDDEN, user=HIDDEN),
        Try(lambda k: f"/v1/channels/{k.channel}/messages?around={k.message}", server=HIDDEN, user=HIDDEN),
    ],
    ("GET", "/v1/messages/{message_id}"): [
        Try(lambda k: f"/v1/messages/{k.message}", server=HIDDEN, user=HIDDEN),
    ],
    ("PATCH", "/v1/messages/{message_id}"): [
        Try(lambda k: f"/v1/messages/{k.message}", lambda k: {"text": "mine"}, server=HIDDEN, user=HIDDEN),
        Try(
            lambda k: f"/v1/messages/{k.message}",
            lambda k: {"text": "mine", "user_id": k.user},
            server=Expect(200, {"user": 422, "message": 404}),
            user=SERVERS_ONLY,
        ),
    ],
    ("GET", "/v1/messages/{message_id}/versions"): [
        Try(lambda k: f"/v1/messages/{k.message}/versions", server=HIDDEN, user=HIDDEN),
        Try(
            lambda k: f"/v1/messages/{k.message}/versions?cursor={encode_cursor('versions', '9')}",
            server=HIDDEN,
            user=HIDDEN,
        ),
    ],
    ("DELETE", "/v1/messages/{message_id}"): [
        Try(lambda k: f"/v1/messages/{k.message}", server=HIDDEN, user=HIDDEN),
        Try(
            lambda k: f"/v1/messages/{k.message}?user_id={k.user}",
            server=Expect(200, {"user": 422, "message": 404}),
            user=SERVERS_ONLY,
        ),
        Try(lambda k: f"/v1/messages/{k.message}?hard=true", server=HIDDEN),
    ],
    ("POST", "/v1/messages/{message_id}/hide"): [
        Try(lambda k: f"/v1/messages/{k.message}/hide", user=HIDDEN),
        Try(
            lambda k: f"/v1/messages/{k.message}/hide",
            lambda k: {"user_id": k.user},
            server=Expect(200, {"user": 404, "message": 404}),
            user=SERVERS_ONLY,
        ),
    ],
    ("POST", "/v1/messages/{message_id}/restore"): [
        Try(lambda k: f"/v1/messages/{k.message}/restore", server=HIDDEN, user=HIDDEN),
        Try(
            lambda k: f"/v1/messages/{k.message}/restore",
            lambda k: {"user_id": k.user},
            server=Expect(200, {"user": 422, "message": 404}),
            user=SERVERS_ONLY,
        ),
    ],
    ("GET", "/v1/messages/{message_id}/replies"): [
        Try(lambda k: f"/v1/messages/{k.message}/replies", server=HIDDEN, user=HIDDEN),
    ],
    ("PUT", "/v1/messages/{message_id}/thread/read"): [
        # Nobody takes part in a thread there.
        Try(lambda k: f"/v1/messages/{k.message}/thread/read", user=Expect(404, {"message": 404})),
        Try(
            lambda k: f"/v1/messages/{k.message}/thread/read",
            lambda k: {"user_id": k.user},
            server=Expect(404, {"user": 404, "message": 404}),
            user=SERVERS_ONLY,
        ),
    ],
    ("GET", "/v1/threads"): [
        Try(lambda k: "/v1/threads", user=OWN),
        Try(lambda k: f"/v1/threads?user_id={k.user}", server=OWN, user=SERVERS_ONLY),
    ],
    ("PUT", "/v1/messages/{message_id}/reactions/{emoji}"): [
        Try(lambda k: f"/v1/messages/{k.message}/reactions/ok", user=Expect(201, {"message": 404})),
        Try(
            lambda k: f"/v1/messages/{k.message}/reactions/ok",
            lambda k: {"user_id": k.user},
            server=Expect(201, {"user": 422, "message": 404}),
            user=SERVERS_ONLY,
        ),
    ],
    ("DELETE", "/v1/messages/{message_id}/reactions/{emoji}"): [
        Try(lambda k: f"/v1/messages/{k.message}/reactions/ok", user=HIDDEN),
        Try(
            lambda k: f"/v1/messages/{k.message}/reactions/ok?user_id={k.user}",
            server=Expect(200, {"user": 422, "message": 404}),
            user=SERVERS_ONLY,
        ),
    ],
    ("GET", "/v1/messages/{message_id}/reactions"): [
        Try(lambda k: f"/v1/messages/{k.message}/reactions", server=HIDDEN, user=HIDDEN),
        Try(
            lambda k: f"/v1/messages/{k.message}/reactions?cursor={encode_cursor('reactions', '1:ok')}",
            server=HIDDEN,
            user=HIDDEN,
        ),
    ],
    ("PUT", "/v1/messages/{message_id}/pin"): [
        Try(
            lambda k: f"/v1/messages/{k.message}/pin",
            server=Expect(201, {"message": 404}),
            user=Expect(201, {"message": 404}),
        ),
        Try(
            lambda k: f"/v1/messages/{k.message}/pin",
            lambda k: {"user_id": k.user, "expires_at": "2126-01-01T00:00:00Z"},
            server=Expect(201, {"user": 422, "message": 404}),
            user=SERVERS_ONLY,
        ),
    ],
    ("DELETE", "/v1/messages/{message_id}/pin"): [
        Try(
            lambda k: f"/v1/messages/{k.message}/pin",
            server=Expect(204, {"message": 404}),
            user=Expect(204, {"message": 404}),
        ),
        Try(
            lambda k: f"/v1/messages/{k.message}/pin?user_id={k.user}",
            server=Expect(204, {"user": 422, "message": 404}),
            user=SERVERS_ONLY,
        ),
    ],
    ("GET", "/v1/channels/{channel_id}/pins"): [
        Try(lambda k: f"/v1/channels/{k.channel}/pins", server=HIDDEN, user=HIDDEN),
    ],
    ("POST", "/v1/channels/{channel_id}/read"): [
        Try(
            lambda k: f"/v1/channels/{k.channel}/read",
            lambda k: {"message_id": k.message},
            user=HIDDEN,
        ),
        Try(
            lambda k: f"/v1/channels/{k.channel}/read",
            lambda k: {"message_id": k.message, "user_id": k.user},
            server=HIDDEN,
            user=SERVERS_ONLY,
        ),
    ],
    ("POST", "/v1/channels/{channel_id}/unread"): [
        Try(lambda k: f"/v1/channels/{k.channel}/unread", lambda k: {"message_id": k.message}, user=HIDDEN),
        Try(
            lambda k: f"/v1/channels/{k.channel}/unread",
            lambda k: {"message_id": k.message, "user_id": k.user},
            server=HIDDEN,
            user=SERVERS_ONLY,
        ),
    ],
    ("POST", "/v1/channels/{channel_id}/delivered"): [
        Try(lambda k: f"/v1/channels/{k.channel}/delivered", lambda k: {"message_id": k.message}, user=HIDDEN),
        Try(
            lambda k: f"/v1/channels/{k.channel}/delivered",
            lambda k: {"message_id": k.message, "user_id": k.user},
            server=HIDDEN,
            user=SERVERS_ONLY,
        ),
    ],
    ("POST", "/v1/read"): [
        Try(lambda k: "/v1/read", lambda k: {"user_id": k.user}, server=OWN, user=SERVERS_ONLY),
        Try(lambda k: "/v1/read", lambda k: {"type": THEIR_OWN}, user=OWN),
    ],
    ("GET", "/v1/unread"): [
        Try(lambda k: f"/v1/unread?user_id={k.user}", server=OWN, user=SERVERS_ONLY),
        Try(lambda k: f"/v1/unread?cursor={encode_cursor('unread', k.channel)}", user=OWN),
    ],
    ("GET", "/v1/channels/{channel_id}/receipts"): [
        Try(lambda k: f"/v1/channels/{k.channel}/receipts", server=HIDDEN, user=HIDDEN),
        Try(
            lambda k: f"/v1/channels/{k.channel}/receipts?cursor={encode_cursor('receipts', k.user)}",
            server=Expect(200, {"channel": 404}, free=200),
            user=Expect(200, {"channel": 404}, free=200),
        ),
    ],
    ("GET", "/v1/messages/{message_id}/receipts"): [
        Try(lambda k: f"/v1/messages/{k.message}/receipts", server=HIDDEN, user=HIDDEN),
        Try(
            lambda k: f"/v1/messages/{k.message}/receipts?cursor={encode_cursor('readers', k.user)}",
            server=Expect(200, {"message": 404}, free=200),
            user=Expect(200, {"message": 404}, free=200),
        ),
    ],
    ("GET", "/v1/users/{user_id}/privacy"): [
        Try(lambda k: f"/v1/users/{k.user}/privacy", server=HIDDEN, user=SERVERS_ONLY),
        Try(lambda k: f"/v1/users/{PERSON}/privacy", user=OWN),
    ],
    ("PUT", "/v1/users/{user_id}/privacy"): [
        Try(
            lambda k: f"/v1/users/{k.user}/privacy",
            lambda k: {"read_receipts": False},
            server=HIDDEN,
            user=SERVERS_ONLY,
        ),
    ],
    # -- limits --------------------------------------------------------------------------------------------------------
    ("GET", "/v1/limits"): [
        Try(lambda k: "/v1/limits", server=OWN, user=OWN, varies=("remaining", "reset")),
        Try(lambda k: f"/v1/limits?channel_id={k.channel}", server=HIDDEN, user=HIDDEN, varies=("remaining", "reset")),
    ],
    # -- sync ----------------------------------------------------------------------------------------------------------
    # Cursors have tests of their own in `test_rest.py`.
    ("GET", "/v1/sync"): [
        Try(lambda k: "/v1/sync", user=OWN),
        Try(lambda k: f"/v1/sync?user_id={k.user}", server=OWN, user=SERVERS_ONLY, varies=("cursor",)),
    ],
}
