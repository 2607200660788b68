// An app on a phone: what React Native's bundler would make of the packed package, run with the globals that React Native has, launch after launch.
//
// node native.mjs SDK GIVEN, in a project that has the package. `SDK`: the folder whose esbuild bundles. `GIVEN`: JSON with `key`, `url`, `token`,
// `storage` (the README's code over AsyncStorage). Prints `{missing, launches}`.
import { createRequire } from "node:module";
import vm from "node:vm";

const [folder, text] = process.argv.slice(2);
const given = JSON.parse(text);
const { build } = createRequire(`${folder}/package.json`)("esbuild");

const app = `
import { Client, messagesIn } from "@natter/client";
${given.storage}
const told = [];
const options = { key: given.key, user: "alice", token: () => given.token, url: given.url, storage };
globalThis.begun = new Client(options);
begun.on("problem", ({ code }) => told.push(code));
const shown = () => messagesIn(begun.state, "general").map(({ text, state }) => [text, state]);
const until = async (done) => {
  while (!done()) await new Promise((wake) => setTimeout(wake, 10));
};
globalThis.launch = async (say) => {
  await begun.connect();
  const sent = say && begun.send("general", say);
  if (given.offline) await until(() => shown().some(([text]) => text === say));
  else {
    await begun.open("general");
    await sent;
    await until(() => begun.state.outbox.length === 0 && shown().every(([, state]) => state === "stored"));
    await begun.close();
  }
  return { told, shown: shown() };
};
`;

// As Metro resolves for React Native, and without private fields, which its Babel preset takes away, too.
const { outputFiles } = await build({
  stdin: { contents: app, resolveDir: process.cwd() },
  bundle: true, write: false, format: "iife", platform: "browser", target: "es2018", minify: true,
  conditions: ["react-native"], mainFields: ["react-native", "browser", "main"],
});
const [{ text: code }] = outputFiles;

/** What outlives the app: texts by key, behind the interface of AsyncStorage 3. */
const kept = new Map();
const AsyncStorage = {
  getAllKeys: async () => [...kept.keys()],
  getMany: async (keys) => Object.fromEntries(keys.map((key) => [key, kept.get(key) ?? null])),
  setMany: async (texts) => void Object.entries(texts).forEach(([key, value]) => kept.set(key, String(value))),
  removeMany: async (keys) => void keys.forEach((key) => kept.delete(key)),
};

const BROWSERS = ["document", "localStorage", "indexedDB", "BroadcastChannel", "crypto", "structuredClone", "addEventListener", "process", "Buffer", "require"];

/** One launch of the app. Without a network, it is killed in the end. */
async function launched(say, offline = false) {
  let alive = true;
  const timers = { setTimeout: (act, ms) => setTimeout(() => alive && act(), ms), clearTimeout, setInterval, clearInterval, setImmediate, queueMicrotask };
  const away = class {
    constructor() {
      setTimeout(() => this.onerror?.(new Error("No network")), 0);
    }
    close() {}
  };
  const network = offline ? { WebSocket: away, fetch: async () => Promise.reject(new TypeError("Network request failed")) } : { WebSocket, fetch };
  const global = { ...timers, ...network, AsyncStorage, console, AbortController, URL, URLSearchParams, atob, btoa, navigator: { product: "ReactNative" }, given: { ...given, offline } };
  Object.assign(global, { global, window: global, self: global });
  vm.createContext(global);
  vm.runInContext(code, global);
  const missing = BROWSERS.filter((name) => vm.runInContext(`typeof ${name} === "undefined"`, global));
  const shown = JSON.parse(JSON.stringify(await global.launch(say)));
  alive = false;
  return { missing, ...shown };
}

const launches = [await launched("From a phone"), await launched("Without a network", true), await launched(null)];
console.log(JSON.stringify({ missing: launches[0].missing.length === BROWSERS.length, launches: launches.map(({ told, shown }) => ({ told, shown })) }));
process.exit(0);
