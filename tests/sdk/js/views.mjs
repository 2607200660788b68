/** A client's state in the form of a vector's `after`, which is what a fresh reader reads over REST. */
import { channelOf, messagesIn, pinsIn, unreadOf } from "../../../sdk/js/dist/index.js";

const SHOWN = ["status", "text", "text_expires_at"];
const only = (names, from) => Object.fromEntries(names.map((name) => [name, from[name]]));
const entries = (record, change) => Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value, key)]));

/** `followed`: users whose presence was asked for. `at`: now, RFC 3339. */
export function views(state, followed, at) {
  // What was refused is the user's own affair.
  const stored = (id) => messagesIn(state, id).filter((each) => each.state !== "failed").map(({ state: _, ...message }) => [message.id, message]);
  // A pin is compared without its message, which is compared where it stands.
  const pins = (id) => pinsIn(state, id, at).map(({ message: _, ...pin }) => [pin.message_id, pin]);
  return {
    channels: entries(state.channels, (_, id) => channelOf(state, id)),
    members: entries(state.channels, ({ members }) => members),
    messages: entries(state.channels, (_, id) => Object.fromEntries(stored(id))),
    pins: entries(state.channels, (_, id) => Object.fromEntries(pins(id))),
    unread: unreadOf(state),
    grants: state.grants,
    invites: Object.fromEntries(
      Object.entries(state.invites).filter(([, invite]) => invite).map(([id, invite]) => [id, ["state", "role", "invited_by", "created_at"].map((name) => invite[name])]),
    ),
    user: state.user,
    blocks: state.blocks,
    presence: Object.fromEntries(followed.map((id) => [id, only(SHOWN, state.presence[id])])),
    receipts: Object.fromEntries(Object.entries(state.channels).filter(([, { receipts }]) => receipts).map(([id, { receipts }]) => [id, receipts])),
  };
}
