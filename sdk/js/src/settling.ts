/** Acknowledgements after their events: a state changes by events alone, so between the two it would show what was before. */
import type { Transport } from "./ports.js";
import type { Json } from "./types.js";

/** The event that tells everybody what a call has done to a message. */
const TELLS: Readonly<Record<string, string>> = {
  "message.update": "message.updated",
  "message.delete": "message.deleted",
  "message.restore": "message.restored",
  "message.hide": "message.hidden",
  "reaction.add": "reaction.added",
  "reaction.remove": "reaction.removed",
};
/** Milliseconds after which an acknowledgement stands alone: what changed nothing has no event. */
const WITHIN = 1_000;

/** A transport that keeps the acknowledgement of a change until its event has come, so that what is drawn never goes back. */
export function eventsFirst(transport: Transport): Transport {
  return (url, key, auth, on) => {
    const waiting = new Set<(name: string, payload: Json) => void>();
    const wire = transport(url, key, auth, {
      ...on,
      event: (name, payload) => {
        on.event(name, payload);
        waiting.forEach((told) => told(name, payload));
      },
    });
    return {
      close: () => wire.close(),
      call: async (event, payload, within) => {
        if (!TELLS[event]) return wire.call(event, payload, within);
        let told = (_name: string, _payload: Json): void => {};
        const come = new Promise<void>((resolve) => {
          told = (name, { data }) => {
            if (name === TELLS[event] && idOf(data as Json) === (payload.id ?? payload.message_id)) resolve();
          };
        });
        waiting.add(told);
        try {
          const answer = await wire.call(event, payload, within);
          if (!answer.error) await Promise.race([come, new Promise((wake) => setTimeout(wake, WITHIN))]);
          return answer;
        } finally {
          waiting.delete(told);
        }
      },
    };
  };
}

function idOf({ message, message_id }: Json): unknown {
  return message_id ?? (message as Json).id;
}
