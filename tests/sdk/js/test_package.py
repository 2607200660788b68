"""The packed package: what it exports, how large it is, and that it works in an empty project as the README says."""

import asyncio
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.clients import node_packages
from tests.clients.installation import Tenant
from tests.sdk.js.package import SDK, VENDORED, built

CORE = 15_000
"""Bytes, gzipped, of the client and what draws from it, beside socket.io-client."""
EVERYTHING = 17_500
"""With the adapters for tabs and IndexedDB, and whatever else apps may leave out."""
REDUCER = 5_000
EVENTS_WITHIN = 100
"""Milliseconds for 10,000 events in 50 channels."""
APART = {
    *("IndexedDbStorage", "browserTabs", "deletions", "eventsFirst", "sharedTabs"),
    *("hasAfter", "hasBefore", "loadAfter", "loadBefore"),
}
"""What apps import who want it."""
NAMES = APART | {
    *("ChatError", "Client", "ClientError", "EMPTY", "MemoryStorage", "NoAnswer", "ServerError"),
    *(
        "act",
        "alone",
        "begin",
        "capabilitiesOf",
        "channelList",
        "channelOf",
        "hasOlder",
        "messagesAround",
        "messagesIn",
    ),
    *("messagesIn", "pinsIn", "reduce", "reduceAll", "socketIo", "typingIn", "unreadOf"),
}
METHODS = {
    *("call", "close", "connect", "delete", "edit", "followPresence", "hide", "hurry", "leads", "leave", "loadAround"),
    *(
        "loadInvites",
        "loadMembers",
        "loadOlder",
        "loadPins",
        "loadThreads",
        "markRead",
        "on",
        "open",
        "openThread",
    ),
    *("react", "request", "restore", "retry", "send", "state", "stopTyping", "subscribe", "typing", "unreact"),
}
_BLOCK = re.compile(r"^```js\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def node(script: str, folder: Path = SDK, *, kind: str = "module", binary: Path = node_packages.NODE) -> Any:
    """What a script prints as JSON."""
    command = [binary, f"--input-type={kind}", "--eval", script]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.fixture(params=["the newest Node.js", "the oldest Node.js"])
def binary(request: pytest.FixtureRequest) -> Path:
    """The Node.js that the tests run on, or the oldest that the package is for."""
    if request.param == "the newest Node.js":
        return node_packages.NODE
    folder = node_packages.installed(Path(__file__).parent / "node20")
    found = sorted(folder.glob("node_modules/*/bin/node"))
    if not found:
        pytest.skip("no Node.js 20 for this kind of machine is among npm's packages")
    return found[0]


def test_the_public_names_are_these() -> None:
    built()
    script = """
      const sdk = await import("./dist/index.js");
      const methods = Object.getOwnPropertyNames(sdk.Client.prototype).filter((name) => name !== "constructor");
      console.log(JSON.stringify([Object.keys(sdk), methods]));
    """
    names, methods = node(script)
    assert set(names) == NAMES
    assert set(methods) == METHODS


def test_it_is_as_small_and_as_quick_as_it_says() -> None:
    built()
    core = ", ".join(sorted(NAMES - APART))
    script = f"""
      const {{ reducing, size }} = await import("./bench.mjs");
      const sizes = [await size("{{ {core} }}"), await size("*"), await size("{{ reduce }}")];
      console.log(JSON.stringify([sizes, reducing(50)]));
    """
    (client, everything, reducer), reducing = node(script)
    assert client <= CORE
    assert everything <= EVERYTHING
    assert reducer <= REDUCER, "what is not imported is not bundled"
    assert reducing["one_by_one_ms"] <= EVENTS_WITHIN, reducing


def test_the_portals_demo_runs_on_these_sources() -> None:
    built()
    fresh = (SDK / "dist" / "natter.js").read_bytes()
    assert fresh == VENDORED.read_bytes(), "`make vendor` gives it the new one"


def test_it_is_found_by_import_and_by_require(project: Path) -> None:
    names = "console.log(JSON.stringify(Object.keys(sdk).sort()))"
    assert set(node(f'import * as sdk from "@natter/client"; {names}', project)) == NAMES
    assert set(node(f'const sdk = require("@natter/client"); {names}', project, kind="commonjs")) >= NAMES


@pytest.mark.parametrize("module", ["nodenext", "bundler", "commonjs"])
def test_its_types_compile(project: Path, module: str) -> None:
    source = project / ("types.cts" if module == "commonjs" else "types.mts" if module == "nodenext" else "types.ts")
    source.write_text((Path(__file__).parent / "consumer" / "types.ts").read_text())
    modules = {"nodenext": "nodenext", "bundler": "esnext", "commonjs": "nodenext"}[module]
    resolution = "bundler" if module == "bundler" else "nodenext"
    tsc = [node_packages.NODE, SDK / "node_modules" / "typescript" / "bin" / "tsc", "--noEmit", "--strict"]
    options = ["--module", modules, "--moduleResolution", resolution, "--target", "es2022", "--lib", "es2022,dom"]
    run = subprocess.run(
        [*tsc, *options, "--types", "", source], cwd=project, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout


async def test_the_readmes_code_runs(project: Path, tenant: Tenant, binary: Path) -> None:
    await tenant.channel("general", "alice", "bob")
    first, second, third = _BLOCK.findall((SDK / "README.md").read_text())
    assert "AsyncStorage" in third
    given = {
        "KEY": tenant.publishable_key,
        "URL": str(tenant.http.base_url).rstrip("/"),
        "TOKEN": tenant.token("alice"),
    }
    head = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in given.items())
    script = (
        f"{head}const fetchToken = async () => TOKEN;\nconst out = console.log; console.log = () => {{}};\n{first}\n"
    )
    script += "out(JSON.stringify(sent));"
    sent = await asyncio.to_thread(node, script, project, binary=binary)
    page = (await tenant.http.get("/v1/channels/general/messages")).json()["messages"]
    assert [(message["id"], message["text"], message["reactions"]) for message in page] == [
        (sent["id"], "Hello", {"👍": 1})
    ]
    offline = f"{head}const options = {{ key: KEY, user: 'alice', token: () => TOKEN, url: URL }};\n{second}\n"
    told = f"{offline}await client.connect(); console.warn = () => {{}}; console.log(JSON.stringify(client.leads));"
    told += "await client.close();"
    # Node has no IndexedDB: it works, and says what is missing.
    assert await asyncio.to_thread(node, told, project, binary=binary) is True
    version = await asyncio.to_thread(node, "console.log(JSON.stringify(process.version))", binary=binary)
    assert version.startswith("v20.") == ("node20" in str(binary))


async def test_an_app_on_a_phone_finds_it_as_react_native_does_and_needs_nothing_of_a_browser(
    project: Path, tenant: Tenant
) -> None:
    await tenant.channel("general", "alice", "bob")
    storage = _BLOCK.findall((SDK / "README.md").read_text())[2]
    url = str(tenant.http.base_url).rstrip("/")
    given = {"key": tenant.publishable_key, "url": url, "token": tenant.token("alice"), "storage": storage}
    command = [node_packages.NODE, Path(__file__).parent / "native.mjs", SDK, json.dumps(given)]
    run = await asyncio.to_thread(
        subprocess.run, command, cwd=project, capture_output=True, text=True, check=False, timeout=60
    )
    assert run.returncode == 0, run.stderr
    said = json.loads(run.stdout)
    assert said["missing"]
    first, offline, last = said["launches"]
    assert first == {"told": [], "shown": [["From a phone", "stored"]]}
    assert offline == {"told": [], "shown": [["From a phone", "stored"], ["Without a network", "waiting"]]}
    assert last == {"told": [], "shown": [["From a phone", "stored"], ["Without a network", "stored"]]}
    page = (await tenant.http.get("/v1/channels/general/messages")).json()["messages"]
    assert [message["text"] for message in page] == ["From a phone", "Without a network"]
