/**
 * The page, and tokens for its users: what your own server does. `npm start`, with
 *   NATTER_URL     your app's address
 *   NATTER_KEY     its publishable key, pk_…
 *   NATTER_SECRET  its secret key, sk_…, which stays here
 */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";

const { NATTER_URL, NATTER_KEY, NATTER_SECRET, PORT = "3000" } = process.env;
if (!NATTER_URL || !NATTER_KEY || !NATTER_SECRET) throw new Error("Set NATTER_URL, NATTER_KEY and NATTER_SECRET");

const FILES = {
  "/": ["text/html", fileURLToPath(new URL("index.html", import.meta.url))],
  "/natter.js": ["text/javascript", fileURLToPath(import.meta.resolve("@natter/client/natter.js"))],
};

async function natter(path, body) {
  const headers = { authorization: `Bearer ${NATTER_SECRET}`, "content-type": "application/json" };
  const answer = await fetch(NATTER_URL + path, { method: "POST", headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
  return answer.json();
}

/** Whoever asks is let in under any name: here your server would look at its session. */
async function token(user) {
  const { access_token } = await natter("/v1/tokens", { user_id: user });
  await natter("/v1/channels/general/members", { user_ids: [user] });
  return { key: NATTER_KEY, url: NATTER_URL, token: access_token };
}

// Made once; making it again changes nothing.
await natter("/v1/channels", { id: "general", type: "group", name: "General" });

createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://page");
  try {
    if (request.method === "POST" && pathname === "/token") {
      const body = JSON.stringify(await token(searchParams.get("user") ?? ""));
      response.writeHead(200, { "content-type": "application/json" }).end(body);
    } else if (FILES[pathname]) {
      const [type, file] = FILES[pathname];
      response.writeHead(200, { "content-type": `${type}; charset=utf-8` }).end(await readFile(file));
    } else response.writeHead(404).end();
  } catch (error) {
    console.error(error);
    response.writeHead(500).end();
  }
}).listen(Number(PORT), "127.0.0.1", () => console.log(`http://127.0.0.1:${PORT}/?user=alice`));
