"""How each socket event of the data plane is swept. A new event needs its lines here, or the sweep fails."""

from tests.invariants.chat.tries import Emit
from tests.invariants.chat.world import LIVESTREAM

HIDDEN = {"channel": "not_found", "message": "not_found"}

EVENTS: dict[str, list[Emit]] = {
    "message.send": [
        Emit(lambda k: {"channel_id": k.channel, "text": "mine"}, lost=HIDDEN),
        Emit(
            lambda k: {"channel_id": k.channel, "id": k.message, "text": "mine"},
            twin="message_id_taken",
            # One's own message's id in another channel; and an id that only the victim has used, which is free.
            lost={"channel+message": "not_found", "channel": "message_id_taken"},
        ),
    ],
    "message.update": [Emit(lambda k: {"id": k.message, "text": "mine"}, lost=HIDDEN)],
    "message.delete": [
        Emit(lambda k: {"id": k.message}, lost=HIDDEN),
        Emit(lambda k: {"id": k.message, "hard": True}, lost=HIDDEN),
    ],
    "message.restore": [Emit(lambda k: {"id": k.message}, lost=HIDDEN)],
    "message.hide": [Emit(lambda k: {"id": k.message}, lost=HIDDEN)],
    "thread.read": [Emit(lambda k: {"message_id": k.message}, twin="not_found", lost=HIDDEN)],
    "reaction.add": [Emit(lambda k: {"message_id": k.message, "emoji": "👍"}, lost=HIDDEN)],
    "reaction.remove": [Emit(lambda k: {"message_id": k.message, "emoji": "👍"}, lost=HIDDEN)],
    "message.pin": [Emit(lambda k: {"message_id": k.message}, lost=HIDDEN)],
    "message.unpin": [Emit(lambda k: {"message_id": k.message}, lost=HIDDEN)],
    "receipt.read": [
        Emit(lambda k: {"channel_id": k.channel}, lost=HIDDEN),
        Emit(lambda k: {"channel_id": k.channel, "message_id": k.message}, lost=HIDDEN),
    ],
    "membership.arrange": [Emit(lambda k: {"channel_id": k.channel, "hidden": True}, lost=HIDDEN)],
    "receipt.delivered": [
        Emit(lambda k: {"channel_id": k.channel}, lost=HIDDEN),
        Emit(lambda k: {"channel_id": k.channel, "message_id": k.message}, lost=HIDDEN),
    ],
    "unread.mark": [Emit(lambda k: {"channel_id": k.channel, "message_id": k.message}, lost=HIDDEN)],
    "receipt.read_all": [Emit(lambda k: {"type": "group"})],
    "channel.watch": [
        Emit(lambda k: {"channel_id": k.channel}, lost=HIDDEN),
        Emit(lambda k: {"channel_id": LIVESTREAM}, twin="not_found"),
    ],
    "channel.unwatch": [Emit(lambda k: {"channel_id": k.channel})],
    "presence.set": [Emit(lambda k: {"status": "online", "text": "mine"})],
    "presence.subscribe": [Emit(lambda k: {"user_ids": [k.user]}, lost={"user": "unknown_users"})],
    "presence.unsubscribe": [Emit(lambda k: {"user_ids": [k.user]})],
    "typing.start": [Emit(lambda k: {"channel_id": k.channel}, lost=HIDDEN)],
    "typing.stop": [Emit(lambda k: {"channel_id": k.channel}, lost=HIDDEN)],
    "event.send": [Emit(lambda k: {"channel_id": k.channel, "type": "mine"}, lost=HIDDEN)],
    "sync": [Emit(lambda k: {})],
    # Takes a token and no ids: `test_socket.py` tries those.
    "auth.refresh": [],
}
