/**
 * A bot that answers whoever mentions it. `npm start`, with
 *   NATTER_URL     your app's address
 *   NATTER_KEY     its publishable key, pk_…
 *   NATTER_SECRET  its secret key, sk_…
 * Make it a member of the channels in which it shall answer.
 */
import { Client } from "@natter/client";

const { NATTER_URL, NATTER_KEY, NATTER_SECRET, BOT = "echo" } = process.env;
if (!NATTER_URL || !NATTER_KEY || !NATTER_SECRET) throw new Error("Set NATTER_URL, NATTER_KEY and NATTER_SECRET");

async function token() {
  const headers = { authorization: `Bearer ${NATTER_SECRET}`, "content-type": "application/json" };
  const answer = await fetch(`${NATTER_URL}/v1/tokens`, { method: "POST", headers, body: JSON.stringify({ user_id: BOT }) });
  if (!answer.ok) throw new Error(await answer.text());
  return (await answer.json()).access_token;
}

const bot = new Client({ key: NATTER_KEY, user: BOT, url: NATTER_URL, token });
bot.on("event", ({ type, data }) => {
  if (type !== "message.created") return;
  const { id, channel_id, text, user_id, mentions, thread_id } = data.message;
  if (user_id === BOT || !mentions?.users?.includes(BOT)) return;
  bot.send(channel_id, { text: `You said: ${text}`, quoted_id: id, ...(thread_id ? { thread_id } : {}) });
});
bot.on("refused", ({ error }) => console.error(error.code, error.message));
await bot.connect();
console.log(`${BOT} is listening`);

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => bot.close().then(() => process.exit(0)));
