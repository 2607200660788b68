"""The quickstart's code, taken from the page and run as it is printed, against a real node."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.clients import node_packages
from tests.portal.apps.conftest import HouseTab
from tests.portal.apps.forms import submit
from tests.portal.apps.house import House
from tests.portal.apps.rooms import Room

BIN = Path(sys.executable).parent
_GUIDE = re.compile(r'<section class="guide" data-guide="(\w+)".*?</section>', re.DOTALL)
_STEP = re.compile(r'data-step="([\w.]+)">.*?<pre data-copy-text(?:="")? tabindex="0">(.*?)</pre>', re.DOTALL)
_TAG = re.compile(r"<[^>]+>")
SECRET = re.compile(r"sk_[0-9a-z]{39}")


def read_guides(page: str) -> dict[str, dict[str, str]]:
    """Each guide's code by file name, `run` for what goes into the terminal: as the copy button gives it."""
    return {
        guide[1]: {name: unescape(_TAG.sub("", code)) for name, code in _STEP.findall(guide[0])}
        for guide in _GUIDE.finditer(page)
    }


@dataclass(frozen=True, slots=True)
class Desk:
    """A developer's folder, and the programs that the guides ask for. Nothing comes from the network."""

    folder: Path
    programs: Path

    def save(self, steps: dict[str, str]) -> None:
        for name, code in steps.items():
            if name != "run":
                (self.folder / name).write_text(code)

    async def start(self, script: str, **environment: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            "bash",
            "-euc",
            script,
            cwd=self.folder,
            env={"PATH": f"{self.programs}:/usr/bin:/bin", "HOME": str(self.folder), **environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )

    async def run(self, script: str) -> str:
        process = await self.start(script)
        said, errors = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0, f"{said.decode()}\n{errors.decode()}"
        return said.decode()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """`npm install` and `pip install` bring what is installed already, and nothing else."""
    folder, programs = tmp_path / "desk", tmp_path / "programs"
    folder.mkdir()
    programs.mkdir()
    (programs / "node").symlink_to(node_packages.NODE)
    (programs / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    modules = node_packages.installed() / "node_modules"
    wanted = {
        "npm": ("install socket.io-client", f'ln -sfn "{modules}" node_modules'),
        "pip": ("install python-socketio[asyncio_client]", "true"),
    }
    for name, (arguments, action) in wanted.items():
        (programs / name).write_text(f'#!/bin/sh\ntest "$*" = "{arguments}" && {action}\n')
    for program in ("python", *wanted):
        (programs / program).chmod(0o755)
    return Desk(folder, programs)


@pytest.fixture
async def guides(house: House) -> AsyncIterator[dict[str, dict[str, str]]]:
    """The code of a fresh app's page, on which a secret key was just made."""
    made = await house.app()
    client = await house.portal.client(house.owner)
    path = f"/apps/{made.app.public_id}/quickstart"
    answer = await submit(client, path, path)
    secret = SECRET.search(answer.text)
    assert secret is not None
    for url in house.whole.node_urls.values():
        await house.until_answered(url, secret[0], 200)
    yield read_guides(answer.text)


async def test_javascript_makes_two_browsers_chat(
    guides: dict[str, dict[str, str]], desk: Desk, browser: Browser, free_ports: Callable[[int], list[int]]
) -> None:
    desk.save(guides["javascript"])
    process = await desk.start(guides["javascript"]["run"], PORT=str(free_ports(1)[0]))
    assert process.stdout is not None
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
        addresses = re.findall(r"http://\S+", line)
        assert len(addresses) == 2, line
        pages = [await browser.new_page() for _ in addresses]
        for page, address in zip(pages, addresses, strict=True):
            await page.goto(address)
        for page in pages:
            await expect(page.get_by_placeholder("Message")).to_be_enabled(timeout=20_000)
        alice, bob = pages
        for writer, text in ((alice, "Hello, Bob."), (bob, "Hello, Alice. <b>Fine</b> day.")):
            await writer.get_by_placeholder("Message").fill(text)
            await writer.keyboard.press("Enter")
            for page in pages:
                await expect(page.get_by_role("listitem").filter(has_text=text)).to_be_visible()
        assert await bob.get_by_role("listitem").all_inner_texts() == [
            "alice: Hello, Bob.",
            "bob: Hello, Alice. <b>Fine</b> day.",
        ]
        for page in pages:
            await page.close()
    finally:
        os.killpg(process.pid, 9)
        await process.wait()


async def test_python_prints_what_each_sees(guides: dict[str, dict[str, str]], desk: Desk) -> None:
    desk.save(guides["python"])
    said = await desk.run(guides["python"]["run"])
    assert sorted(said.splitlines()) == [
        "alice sees alice: Hello, Bob.",
        "alice sees bob: Hello, Alice.",
        "bob sees alice: Hello, Bob.",
        "bob sees bob: Hello, Alice.",
    ]


async def test_curl_brings_the_message_back(guides: dict[str, dict[str, str]], desk: Desk) -> None:
    said = await desk.run(guides["curl"]["run"])
    users, channel, sent, read = [json.loads(answer) for answer in re.split(r"(?<=\})(?=\{)", said)]
    assert [user["id"] for user in users["users"]] == ["alice", "bob"]
    assert channel["id"] == "hello"
    assert [message["id"] for message in read["messages"]] == [sent["message"]["id"]]


async def test_the_guides_can_follow_each_other(guides: dict[str, dict[str, str]], desk: Desk) -> None:
    desk.save(guides["python"])
    for _ in range(2):
        await desk.run(guides["curl"]["run"])
        await desk.run(guides["python"]["run"])


async def test_the_copy_button_gives_the_code_as_it_stands(house: House, house_tab: HouseTab) -> None:
    made = await house.app()
    page = await house_tab(permissions=["clipboard-read", "clipboard-write"])
    await page.goto(f"/apps/{made.app.public_id}/quickstart")
    await page.locator("label[for=guide-python]").click()
    await page.locator('[data-guide=python] [data-step="chat.py"]').get_by_role("button", name="Copy").click()
    await expect(page.get_by_text("Copied")).to_be_visible()
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied == read_guides(await page.content())["python"]["chat.py"]
    assert made.publishable_key in copied


async def test_languages_switch_without_scripts_and_by_keyboard(house: House, house_tab: HouseTab) -> None:
    made = await house.app()
    page = await house_tab(java_script_enabled=False)
    await page.goto(f"/apps/{made.app.public_id}/quickstart")
    await expect(page.get_by_text("server.mjs").first).to_be_visible()
    await page.locator("#guide-javascript").focus()
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_text("chat.py").first).to_be_visible()
    await expect(page.get_by_text("server.mjs").first).to_be_hidden()


async def test_later_the_page_holds_no_secret_and_offers_one(room: Room) -> None:
    path = f"{room.path}/quickstart"
    page = (await room.client.get(path)).text
    assert SECRET.search(page) is None
    assert "sk_…" in read_guides(page)["curl"]["run"]
    made = await submit(room.client, path, path)
    (secret,) = set(SECRET.findall(made.text))
    assert all(secret in "".join(steps.values()) for steps in read_guides(made.text).values())
    assert SECRET.search((await room.client.get(path)).text) is None


async def test_who_may_not_make_keys_is_not_offered_one(room: Room, address: Callable[[], str]) -> None:
    client = await room.as_role(address(), "viewer")
    page = await client.get(f"{room.path}/quickstart")
    assert page.status_code == 200
    assert "Create a secret key for this code" not in page.text
    assert room.made.publishable_key not in page.text
    assert "pk_…" in read_guides(page.text)["python"]["chat.py"]
