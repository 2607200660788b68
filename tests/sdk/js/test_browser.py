"""The SDK in headless Chromium: real pages that are reloaded, frozen, closed, and denied their storage."""

import random
from typing import Any

import pytest
from playwright.async_api import BrowserContext

from tests.clients.installation import Installation, Tenant
from tests.sdk.js.conftest import NewLine, OpenClient, OpenPage
from tests.sdk.js.test_convergence import CHANNELS, _act, _administer, _app

_SECURITY = "get() { throw new DOMException('no', 'SecurityError') }"
_QUOTA = "() => { throw new DOMException('no', 'QuotaExceededError') }"
DENIED = {
    "blocked": f"for (const name of ['indexedDB', 'localStorage']) "
    f"Object.defineProperty(window, name, {{ {_SECURITY} }})",
    "full": f"IDBObjectStore.prototype.put = Storage.prototype.setItem = {_QUOTA}",
}
"""What a browser does in some private modes, and when the disk is full."""


async def _messages(tenant: Tenant, channel: str) -> list[Any]:
    page = await tenant.http.get(f"/v1/channels/{channel}/messages", params={"limit": 100})
    return page.json()["messages"]  # type: ignore[no-any-return]


async def _history(tenant: Tenant, channel: str = "den") -> list[str]:
    return [message["text"] for message in await _messages(tenant, channel)]


async def test_a_page_converges_under_cuts_and_reloads(
    open_page: OpenPage, open_client: OpenClient, tenant: Tenant, new_line: NewLine, sdk_nodes: Installation
) -> None:
    chance = random.Random(8)
    await _app(tenant)
    line = await new_line()
    page = await (await open_page("ann", line.url)).start()
    others = [await open_client(user) for user in ("bob", "cid", "ann")]
    await page.run("load()")
    count = [0]
    sent: list[str] = []
    send = "([channel, text]) => (void client.send(channel, text), client.state.outbox.at(-1).message_id)"
    for round in range(3):
        for _ in range(8):
            await _act(chance.choice(others), chance, count)
            if chance.random() < 0.2:
                await _administer(tenant, chance)
            sent.append(await page.run(send, [chance.choice(CHANNELS), f"page {len(sent)}"]))
        line.cut()
        for _ in range(4):
            await _act(chance.choice(others), chance, count)
        line.mend(sdk_nodes.nodes[round % 2].port)
        if round == 1:
            await page.start()
    await page.run("client.hurry()")
    states = [await page.settle(), *[await other.settle() for other in others]]
    assert states[0] == states[3], "two devices of one user know the same"
    # Her other device has hidden some of them.
    everything = [message["id"] for channel in CHANNELS for message in await _messages(tenant, channel)]
    assert set(sent) <= set(everything) and len(everything) == len(set(everything))


async def test_a_page_that_is_reloaded_while_it_sends_loses_and_doubles_nothing(
    open_page: OpenPage, tenant: Tenant
) -> None:
    await tenant.channel("den", "ann", "bob")
    page = await open_page("ann")
    for n in range(4):
        await page.start()
        await page.run("client.open('den')")
        # In the same turn: nothing was written to the database, and nothing sent, or it was and the answer is lost.
        wait = "" if n % 2 else "await new Promise((go) => setTimeout(go, 4));"
        script = (
            f"async (text) => {{ client.send('den', text); client.send('den', text + '!'); {wait} location.reload(); }}"
        )
        async with page.page.expect_event("load"):
            await page.run(script, str(n))
    await page.start()
    await page.run("client.open('den')")
    await page.settle()
    wanted = [text for n in range(4) for text in (str(n), f"{n}!")]
    assert await _history(tenant) == wanted == await page.texts()


async def test_tabs_share_one_connection_and_one_takes_over(open_page: OpenPage, tenant: Tenant) -> None:
    await tenant.channel("den", "ann", "bob")
    first = await (await open_page("ann")).start()
    second = await (await open_page("ann")).start()
    await second.run("client.open('den')")
    await second.run("client.send('den', 'From the second')")
    await first.until("texts('den').length === 1")
    assert await first.run("[client.leads, kept.calls.includes('message.send')]") == [True, True]
    assert await second.run("[client.leads, kept.calls.length]") == [False, 0]
    nobodys = "{ id: 'msg_01k2x7m5t1e8b9v3q4w5r6t7y8', channel_id: 'den' }"
    refusal = (
        f"client.edit({nobodys}, {{ text: 'No' }}).catch((error) => [error instanceof natter.ServerError, error.code])"
    )
    assert await second.run(refusal) == [True, "not_found"]
    # The one that leads goes in the middle of what the other has asked it for.
    await second.run("void client.send('den', 'Before')")
    await first.page.close()
    await second.run("client.send('den', 'After')")
    assert await second.run("client.leads")
    await second.settle()
    assert await _history(tenant) == ["From the second", "Before", "After"] == await second.texts()


async def test_a_tab_that_slept_for_half_an_hour_catches_up_with_a_new_token(
    open_page: OpenPage, device: BrowserContext, tenant: Tenant, new_line: NewLine
) -> None:
    await tenant.channel("den", "ann", "bob")
    line = await new_line()
    page = await (await open_page("ann", line.url)).start()
    await page.run("client.open('den')")
    session = await device.new_cdp_session(page.page)
    await session.send("Page.setWebLifecycleState", {"state": "frozen"})
    line.cut()
    for n in range(20):
        await tenant.post("/v1/channels/den/messages", text=str(n), user_id="bob")
    line.mend()
    await session.send("Page.setWebLifecycleState", {"state": "active"})
    await page.run("skewed(30 * 60_000); client.hurry()")
    await page.settle()
    assert await page.texts() == [str(n) for n in range(20)]
    assert await page.run("kept.tokens") == 2


async def test_a_tab_takes_over_from_one_that_stands_still(
    open_page: OpenPage, device: BrowserContext, tenant: Tenant
) -> None:
    await tenant.channel("den", "ann", "bob")
    first = await (await open_page("ann")).start()
    second = await (await open_page("ann")).start(hurry=20)
    # A freeze lets headless Chromium's tabs go on hearing each other; a halt does not.
    session = await device.new_cdp_session(first.page)
    await session.send("Debugger.enable")
    await session.send("Debugger.pause")
    await second.run("client.send('den', 'Is anybody there?')")
    assert await second.run("client.leads")
    await session.send("Debugger.resume")
    await session.send("Debugger.disable")
    await first.until("!client.leads")
    await first.run("client.open('den')")
    await first.run("client.send('den', 'Here again')")
    for tab in (first, second):
        await tab.settle()
    assert await _history(tenant) == ["Is anybody there?", "Here again"]


@pytest.mark.parametrize(("how", "code"), [("blocked", "storage_unavailable"), ("full", "storage_full")])
async def test_without_storage_it_works_and_says_what_is_missing(
    how: str, code: str, open_page: OpenPage, device: BrowserContext, tenant: Tenant
) -> None:
    await tenant.channel("den", "ann", "bob")
    await device.add_init_script(DENIED[how])
    page = await (await open_page("ann")).start()
    await page.run("client.open('den')")
    await page.run("client.send('den', 'Hello')")
    await page.settle()
    assert await page.texts() == ["Hello"]
    assert await page.run("kept.problems") == [code]
