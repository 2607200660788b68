/** The official Socket.IO client: WebSocket first, long polling where that is blocked. Reconnecting is our own work. */
import { io } from "socket.io-client";
import { NoAnswer } from "./errors.js";
import type { Transport } from "./ports.js";
import type { Json } from "./types.js";

/** Milliseconds until an attempt to connect is given up. */
const CONNECT_WITHIN = 10_000;

export const socketIo: Transport = (url, key, auth, on) => {
  const socket = io(url, {
    query: { key },
    auth,
    transports: ["websocket", "polling"],
    tryAllTransports: true,
    reconnection: false,
    forceNew: true,
    timeout: CONNECT_WITHIN,
  });
  socket.onAny((name: string, payload: Json) => on.event(name, payload));
  socket.on("disconnect", (reason) => {
    if (reason !== "io client disconnect") on.closed(reason === "io server disconnect");
  });
  socket.on("connect_error", (error) => {
    socket.disconnect();
    on.refused(said(error as Error & { data?: Json; context?: { responseText?: string } }));
  });
  return {
    async call(event, payload, within) {
      try {
        return (await socket.timeout(within).emitWithAck(event, payload)) as Json;
      } catch {
        throw new NoAnswer(event);
      }
    },
    close: () => void socket.disconnect(),
  };
};

/** What the server said, if it was the server. A handshake is refused with a problem document, which only long polling sees. */
function said({ data, context }: { data?: Json; context?: { responseText?: string } }): Json | null {
  if (data?.code) return data;
  try {
    const problem = JSON.parse(context?.responseText ?? "") as Json;
    return problem.code ? problem : null;
  } catch {
    return null;
  }
}
