/** `dist/`: ES modules and their types as tsc writes them, which bundlers shake; one CommonJS file; and one file for a page. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const shared = { entryPoints: [here("src/index.ts")], bundle: true, target: "es2022", logLevel: "warning" };

rmSync(here("dist"), { recursive: true, force: true });
execFileSync(process.execPath, [here("node_modules/typescript/bin/tsc"), "--project", here("tsconfig.json")], { stdio: "inherit" });
// The same types again, for those who `require`: a folder of its own says what kind of module they describe.
mkdirSync(here("dist/cjs"));
writeFileSync(here("dist/cjs/package.json"), '{ "type": "commonjs" }\n');
for (const file of readdirSync(here("dist"), { recursive: true })) {
  if (file.endsWith(".d.ts") && !file.startsWith("cjs")) cpSync(here(`dist/${file}`), here(`dist/cjs/${file}`));
}
await build({ ...shared, format: "cjs", external: ["socket.io-client"], outfile: here("dist/cjs/index.js") });
// With socket.io-client in it, for a plain page: <script type="module"> import { … } from "./natter.js".
await build({ ...shared, format: "esm", minify: true, outfile: here("dist/natter.js"), platform: "browser" });
