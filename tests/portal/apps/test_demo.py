"""The live demo in a real browser, over a real node: what UI.md asks of chat."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Page, Route, expect

from billing.terms.service import set_override
from control_plane.apps.service import resume_app, set_allowed_origins, suspend_app
from control_plane.context import Actor
from control_plane.tenants import NewApp
from natter import AsyncNatter, errors, models
from portal.apps.demo import conversation, tokens
from tests.portal.apps.conftest import HouseTab
from tests.portal.apps.demo import ADA, GRACE, NAMES, Demo, Network
from tests.portal.apps.house import House
from tests.portal.browser import Watch

STILL = {"reduced_motion": "reduce"}
"""For who waits long for what does not come: the shimmer in its place takes a third of a core."""


@asynccontextmanager
async def server_of(house: House, app: NewApp) -> AsyncIterator[AsyncNatter]:
    """The customer's server, at a node."""
    async with AsyncNatter(app.secret_key, url=next(iter(house.whole.node_urls.values()))) as natter:
        yield natter


async def history(house: House, app: NewApp, *, channel: str = "demo") -> list[models.Message]:
    """What the node has stored."""
    async with server_of(house, app) as natter:
        return (await natter.messages.list(channel, limit=100)).messages


async def unread(house: House, app: NewApp, user: str) -> int:
    """What the node counts as unread."""
    async with server_of(house, app) as natter:
        membership = (await natter.for_user(user).channels.list()).channels[0].membership
        assert membership is not None and membership.unread is not None
        return membership.unread


async def send(house: House, app: NewApp, user: str, *texts: str, channel: str = "demo") -> None:
    """As the customer's server would, in a user's name."""
    async with server_of(house, app) as natter:
        for text in texts:
            await natter.for_user(user).messages.send(channel, text=text)


def nodes(house: House) -> tuple[str, ...]:
    return tuple(house.whole.node_urls.values())


async def opened(house: House, page: Page) -> tuple[Demo, NewApp]:
    """The demo of a fresh app."""
    app = await house.app()
    demo = Demo(page)
    await demo.open(f"/apps/{app.app.public_id}/demo")
    return demo, app


async def test_two_users_chat(house: House, house_tab: HouseTab) -> None:
    demo, app = await opened(house, await house_tab())
    await expect(demo.page.get_by_text("No messages yet")).to_have_count(2)
    await demo.say(ADA, "Hello, Grace.")
    await expect(demo.row(GRACE, "Hello, Grace.")).to_be_visible()
    await demo.say(GRACE, "Hello, Ada.", "How are you?")
    for user in (ADA, GRACE):
        await demo.until_texts(user, ["Hello, Grace.", "Hello, Ada.", "How are you?"])
    await demo.until_stored(GRACE)
    assert [message.text for message in await history(house, app)] == await demo.texts(ADA)


async def test_an_empty_channel_can_be_filled_with_a_first_conversation(house: House, house_tab: HouseTab) -> None:
    demo, app = await opened(house, await house_tab())
    begin = demo.pane(GRACE).get_by_role("button", name="Start with an example")
    await begin.click()
    await expect(demo.row(ADA, "Then Thursday at ten it is, @Ada.")).to_be_visible()
    await expect(demo.row(GRACE, "Has the mobile build passed?")).to_have_count(2)  # the message, and who quotes it
    await expect(demo.row(GRACE, "Version 2 goes out")).to_contain_text("2 replies")
    await expect(demo.pane(ADA).locator("[data-part=pinned-strip]")).to_contain_text("Version 2 goes out")
    await expect(begin).to_be_hidden()
    assert len(await history(house, app)) == 4
    (entry,) = await house.portal.sql(
        "select data from control.audit_entries where action = 'demo.conversation_begun' and app_id = $1", app.app.id
    )
    assert '"messages": 6' in str(entry["data"])
    # Nobody's words are mixed with it: an app in use is left as it is.
    assert await demo.page.evaluate(
        """async () => {
            const { conversation, csrf } = document.querySelector("[data-demo]").dataset;
            const headers = { "x-csrf-token": csrf, accept: "application/json" };
            const body = new URLSearchParams({ channel: "demo" });
            const answer = await fetch(conversation, { method: "POST", headers, body });
            return [answer.status, (await answer.json()).code];
        }"""
    ) == [409, "channel_not_empty"]


async def test_what_keeps_the_portal_from_filling_it_is_told(
    house: House, free_ports: Callable[[int], list[int]]
) -> None:
    url, wrong = next(iter(house.whole.node_urls.values())), dict.fromkeys(NAMES, "not.a.token")
    with pytest.raises(conversation.NodeRefused) as refused:
        await conversation.begin(url, wrong, "demo")
    assert refused.value.data["reason"] == "token_invalid"
    nobody = f"http://127.0.0.1:{free_ports(1)[0]}"
    with pytest.raises(conversation.NodeSilent, match=f"cannot reach {nobody}"):
        await conversation.begin(nobody, wrong, "demo")


async def test_a_message_is_there_at_once_and_dim_until_it_is_stored(house: House, house_tab: HouseTab) -> None:
    page = await house_tab()
    network = Network(nodes(house))
    await network.lay(page)
    demo, _ = await opened(house, page)
    await demo.say(ADA, "First.")
    await demo.until_stored(ADA)
    network.held = True
    await demo.field(ADA).fill("Second.")
    # In the very frame: asked before the browser could draw another.
    shown = await demo.field(ADA).evaluate(
        """field => {
            field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
            const row = [...document.querySelectorAll("#pane-demo-ada li.message")].at(-1);
            return [row.querySelector(".bubble").textContent, row.dataset.state];
        }"""
    )
    assert shown == ["Second.", "waiting"]
    row = demo.row(ADA, "Second.")
    colour = "bubble => getComputedStyle(bubble).backgroundColor"
    stored = await demo.row(ADA, "First.").locator(".bubble").evaluate(colour)
    assert await row.locator(".bubble").evaluate(colour) != stored
    network.release()
    await expect(row).to_have_attribute("data-state", "stored")
    assert await row.locator(".bubble").evaluate(colour) == stored


async def test_a_lost_answer_neither_loses_nor_doubles(house: House, house_tab: HouseTab) -> None:
    page = await house_tab()
    network = Network(nodes(house))
    await network.lay(page)
    demo, app = await opened(house, page)
    await demo.say(ADA, "Before.")
    await demo.until_stored(ADA)
    network.held = True
    await demo.say(ADA, "Was it stored?")
    for _ in range(200):
        if len(await history(house, app)) == 2:
            break
        await asyncio.sleep(0.05)
    await network.break_off()
    await expect(demo.pane(ADA)).to_have_attribute("data-state", "away")
    assert await demo.row(ADA, "Was it stored?").get_attribute("data-state") == "waiting"
    network.mend()
    await demo.online()
    await demo.until_stored(ADA)
    for user in (ADA, GRACE):
        await demo.until_texts(user, ["Before.", "Was it stored?"])
    assert [message.text for message in await history(house, app)] == ["Before.", "Was it stored?"]


async def test_offline_queues_and_resume_brings_everything_in_order(house: House, house_tab: HouseTab) -> None:
    demo, app = await opened(house, await house_tab())
    await demo.say(ADA, "One.")
    await demo.until_texts(GRACE, ["One."])
    await demo.switch(GRACE)
    await expect(demo.bar(GRACE)).to_contain_text("Offline by the switch")
    await demo.say(GRACE, "Mine, first.", "Mine, second.")
    await expect(demo.bar(GRACE)).to_contain_text("2 messages wait to be sent")
    await demo.say(ADA, "Two.", "Three.")
    await demo.until_stored(ADA)
    assert await demo.texts(GRACE) == ["One.", "Mine, first.", "Mine, second."]
    await demo.switch(GRACE)
    await demo.online(GRACE)
    await expect(demo.bar(GRACE)).to_contain_text("2 messages came while you were away")
    everything = ["One.", "Two.", "Three.", "Mine, first.", "Mine, second."]
    for user in (ADA, GRACE):
        await demo.until_texts(user, everything)
    await expect(demo.pane(GRACE).locator("li.new + li")).to_contain_text("Two.")
    assert [message.text for message in await history(house, app)] == everything


async def test_a_reload_keeps_drafts_and_what_was_not_sent(house: House, house_tab: HouseTab) -> None:
    page = await house_tab(**STILL)
    network = Network(nodes(house))
    await network.lay(page)
    demo, app = await opened(house, page)
    await demo.say(ADA, "Stored.")
    await demo.until_stored(ADA)
    await network.break_off()
    await expect(demo.pane(ADA)).to_have_attribute("data-state", "away")
    await demo.say(ADA, "Not sent yet.", "Nor this.")
    await demo.field(GRACE).fill("A draft that nobody")
    await page.reload()
    await demo.until_texts(ADA, ["Not sent yet.", "Nor this."])
    await expect(demo.bar(ADA)).to_contain_text("does not answer")
    await expect(demo.field(GRACE)).to_have_value("A draft that nobody")
    network.mend()
    await demo.bar(ADA).get_by_role("button", name="Try now").click()
    await demo.online()
    for user in (ADA, GRACE):
        await demo.until_texts(user, ["Stored.", "Not sent yet.", "Nor this."])
    assert [message.text for message in await history(house, app)] == ["Stored.", "Not sent yet.", "Nor this."]
    await page.reload()
    await demo.online()
    await demo.until_texts(ADA, ["Stored.", "Not sent yet.", "Nor this."])
    assert len(await history(house, app)) == 3, "what was sent is not sent again"


async def test_what_comes_while_the_history_is_asked_for_is_not_lost(house: House, house_tab: HouseTab) -> None:
    page = await house_tab()
    demo, app = await opened(house, page)
    await demo.say(ADA, "Before.")
    await demo.until_texts(GRACE, ["Before."])
    asked, answer = asyncio.Semaphore(0), asyncio.Event()

    async def answer_late(route: Route) -> None:
        response = await route.fetch()
        asked.release()
        await answer.wait()
        await route.fulfill(response=response)

    await page.route("**/v1/channels/demo/messages?*", answer_late)
    await page.reload()
    for _ in range(2):
        await asyncio.wait_for(asked.acquire(), 10)
    await send(house, app, ADA, "Meanwhile.")
    await page.get_by_text("What goes over the wire").click()
    arrived = page.locator("[data-part=wire] tr").filter(has_text="Meanwhile.")
    await expect(arrived).to_have_count(2)
    answer.set()
    for user in (ADA, GRACE):
        await demo.until_texts(user, ["Before.", "Meanwhile."])
    await expect(demo.unread(GRACE)).to_have_text("2")


async def test_a_history_that_cannot_be_had_is_asked_for_again(house: House, house_tab: HouseTab) -> None:
    page = await house_tab(**STILL)
    demo, _ = await opened(house, page)
    await demo.say(ADA, "Before.")
    await demo.until_texts(GRACE, ["Before."])
    await page.route("**/v1/channels/demo/messages?*", lambda route: route.abort())
    await page.reload()
    await expect(demo.bar(ADA)).to_contain_text("does not answer")
    await expect(demo.conversation(ADA)).to_have_attribute("data-content", "loading")
    await page.unroute("**/v1/channels/demo/messages?*")
    await demo.until_texts(ADA, ["Before."])
    await expect(demo.bar(ADA)).to_be_hidden()


async def test_a_node_that_is_killed_costs_nothing(house: House, house_tab: HouseTab) -> None:
    demo, app = await opened(house, await house_tab())
    await demo.say(ADA, "Before.")
    await demo.until_texts(GRACE, ["Before."])
    house.whole.kill("n1")
    await demo.say(GRACE, "While it is down.")
    await demo.say(ADA, "Me too.")
    await house.whole.ready("n1")
    await demo.online()
    await demo.until_stored(ADA)
    await demo.until_stored(GRACE)
    stored = [message.text for message in await history(house, app)]
    assert sorted(stored) == ["Before.", "Me too.", "While it is down."]
    for user in (ADA, GRACE):
        await demo.until_texts(user, stored)


async def test_edit_in_place(house: House, house_tab: HouseTab) -> None:
    demo, app = await opened(house, await house_tab())
    await demo.say(ADA, "Helo.")
    await demo.until_texts(GRACE, ["Helo."])
    await demo.field(ADA).press("ArrowUp")
    editor = demo.pane(ADA).get_by_label("Edit message")
    await expect(editor).to_be_focused()
    await editor.fill("Hello.")
    await editor.press("Enter")
    for user in (ADA, GRACE):
        await expect(demo.row(user, "Hello.")).to_contain_text("edited")
    await demo.until_stored(ADA)
    assert (await history(house, app))[0].text == "Hello."
    await expect(demo.row(GRACE, "Hello.").locator("[data-do=edit]")).to_have_count(0)
    # What it said before is its author's to see, and stays right when it is edited once more.
    edited = demo.row(ADA, "Hello.").get_by_role("button", name="edited")
    await edited.focus()
    await demo.page.keyboard.press("Enter")
    said = demo.row(ADA, "Hello.").get_by_role("list", name="What it said before").get_by_role("listitem")
    await expect(said).to_have_text(["Helo.At first, just now"])
    await expect(edited).to_be_focused()
    await expect(edited).to_have_attribute("aria-expanded", "true")
    await demo.field(ADA).press("ArrowUp")
    await editor.fill("Hello. Grace?")
    await editor.press("Enter")
    await expect(said).to_have_text(["Hello.Ada, just now", "Helo.At first, just now"])
    await edited.focus()
    await demo.page.keyboard.press("Escape")
    await expect(said).to_have_count(0)
    await expect(demo.row(ADA, "Hello.")).to_be_focused()
    await expect(demo.row(GRACE, "Grace?").locator("span.edited")).to_be_visible()
    await expect(demo.row(GRACE, "Grace?").locator("button.edited")).to_have_count(0)


async def test_escape_leaves_a_message_as_it_was(house: House, house_tab: HouseTab) -> None:
    demo, app = await opened(house, await house_tab())
    await demo.say(ADA, "As it was.")
    await demo.until_stored(ADA)
    await demo.field(ADA).press("ArrowUp")
    await demo.pane(ADA).get_by_label("Edit message").fill("Something else")
    await demo.page.keyboard.press("Escape")
    assert await demo.texts(ADA) == ["As it was."]
    assert (await history(house, app))[0].text == "As it was."


async def test_delete_asks_first_and_leaves_the_place_until_it_is_restored(house: House, house_tab: HouseTab) -> None:
    demo, app = await opened(house, await house_tab())
    await demo.say(ADA, "Secret.", "Public.")
    await demo.until_texts(GRACE, ["Secret.", "Public."])
    row = demo.row(ADA, "Secret.")
    await row.hover()
    await row.get_by_role("button", name="Delete").click()
    await row.get_by_role("button", name="Keep").click()
    await row.focus()
    await demo.page.keyboard.press("Delete")
    await row.get_by_role("button", name="Delete for everybody").click()
    for user in (ADA, GRACE):
        await demo.until_texts(user, ["Message deleted", "Public."])
    await demo.until_stored(ADA)
    assert [message.text for message in await history(house, app)] == ["", "Public."]
    await expect(demo.row(GRACE, "Message deleted").locator("[data-do=restore]")).to_have_count(0)
    gone = demo.row(ADA, "Message deleted")
    await gone.focus()
    await expect(gone.get_by_role("button", name="Restore")).to_be_visible()
    await demo.page.keyboard.press("z")
    for user in (ADA, GRACE):
        await demo.until_texts(user, ["Secret.", "Public."])
    await demo.until_stored(ADA)
    assert [message.text for message in await history(house, app)] == ["Secret.", "Public."]

    # What a moderator takes away, its author does not bring back.
    await demo.say(GRACE, "Nonsense.")
    await demo.until_texts(ADA, ["Secret.", "Public.", "Nonsense."])
    await demo.row(ADA, "Nonsense.").focus()
    await demo.page.keyboard.press("Delete")
    await demo.row(ADA, "Nonsense.").get_by_role("button", name="Delete for everybody").click()
    await demo.until_texts(GRACE, ["Secret.", "Public.", "Message deleted"])
    await expect(demo.row(GRACE, "Message deleted").locator("[data-do=restore]")).to_have_count(0)


async def test_edits_and_deletions_wait_for_the_connection_too(house: House, house_tab: HouseTab) -> None:
    demo, app = await opened(house, await house_tab())
    await demo.say(ADA, "To be changed.", "To be deleted.")
    await demo.until_texts(GRACE, ["To be changed.", "To be deleted."])
    await demo.switch(ADA)
    await demo.say(ADA, "Never sent.", "Changed before it was sent.")
    for text, do in (("Never sent.", "remove"), ("To be deleted.", "remove")):
        row = demo.row(ADA, text)
        await row.hover()
        await row.get_by_role("button", name="Delete").click()
        await row.locator(f"[data-do={do}]").click()
    for text, changed in (("To be changed.", "Changed."), ("Changed before", "Sent.")):
        row = demo.row(ADA, text)
        await row.hover()
        await row.get_by_role("button", name="Edit").click()
        await demo.pane(ADA).get_by_label("Edit message").fill(changed)
        await demo.page.keyboard.press("Enter")
    assert await demo.texts(GRACE) == ["To be changed.", "To be deleted."]
    await demo.switch(ADA)
    await demo.online()
    for user in (ADA, GRACE):
        await expect(demo.row(user, "Changed.")).to_have_count(1)
        await demo.until_stored(ADA)
        assert [text.replace(" edited", "") for text in await demo.texts(user)] == [
            "Changed.",
            "Message deleted",
            "Sent.",
        ]
    assert [message.text for message in await history(house, app)] == ["Changed.", "", "Sent."]


async def test_unread_counts_until_the_pane_is_looked_at(house: House, house_tab: HouseTab) -> None:
    demo, app = await opened(house, await house_tab())
    await demo.say(ADA, "One.", "Two.")
    await expect(demo.unread(GRACE)).to_have_text("2")
    await expect(demo.pane(GRACE).locator("li.new + li")).to_contain_text("One.")
    assert await unread(house, app, GRACE) == 2
    # Grace deletes one for herself, on a device that is not here: it is unread no more.
    async with server_of(house, app) as natter:
        await natter.for_user(GRACE).messages.hide((await history(house, app))[0].id)
    await expect(demo.unread(GRACE)).to_have_text("1")
    await demo.until_texts(GRACE, ["Two."])
    assert await unread(house, app, GRACE) == 1
    await demo.conversation(GRACE).locator("[data-part=log]").click()
    await expect(demo.unread(GRACE)).to_be_hidden()
    for _ in range(100):
        if await unread(house, app, GRACE) == 0:
            break
        await asyncio.sleep(0.05)
    assert await unread(house, app, GRACE) == 0
    await expect(demo.pane(GRACE).locator("li.new")).to_have_count(1)
    await demo.say(GRACE, "Three.")
    await expect(demo.pane(GRACE).locator("li.new")).to_have_count(0)


async def test_older_messages_load_and_nothing_jumps(house: House, house_tab: HouseTab) -> None:
    page = await house_tab()
    demo, app = await opened(house, page)
    await send(house, app, ADA, *(f"Message {number}." for number in range(120)))
    await page.reload()
    await demo.online()
    await expect(demo.row(GRACE, "Message 119.")).to_be_visible()
    log = demo.conversation(GRACE).locator("[data-part=log]")
    loaded = len(await demo.texts(GRACE))
    assert loaded == 50
    # From the very top, too, where the day's line stands.
    await log.evaluate("log => { log.scrollTop = 0 }")
    await expect(demo.conversation(GRACE).locator("li.message")).to_have_count(100)
    await expect(demo.row(GRACE, "Message 70.")).to_be_in_viewport()
    jumps = await log.evaluate(
        """async log => {
            const frame = () => new Promise(requestAnimationFrame);
            const jumps = [];
            let rows = log.querySelectorAll("li.message").length;
            for (let round = 0; round < 300 && rows < 120; round += 1) {
                log.scrollTop -= 40;
                const seen = [...log.querySelectorAll("li.message")].find(
                    (row) => row.getBoundingClientRect().top > log.getBoundingClientRect().top);
                await frame();
                const before = seen.getBoundingClientRect().top;
                await frame();
                await frame();
                const moved = Math.abs(seen.getBoundingClientRect().top - before);
                if (moved > 1) jumps.push([round, moved]);
                rows = log.querySelectorAll("li.message").length;
            }
            return { jumps, rows };
        }"""
    )
    assert jumps == {"jumps": [], "rows": 120}
    assert await demo.texts(GRACE) == [f"Message {number}." for number in range(120)]
    await log.evaluate("log => { log.scrollTop = 0 }")
    await expect(demo.pane(GRACE).get_by_text("The channel begins here.")).to_be_visible()


async def test_a_message_far_above_is_brought_into_sight_and_there_is_a_way_back(
    house: House, house_tab: HouseTab
) -> None:
    page = await house_tab()
    demo, app = await opened(house, page)
    await send(house, app, ADA, "Message 0.")
    async with server_of(house, app) as natter:
        await natter.pins.add((await history(house, app))[0].id)
    texts = [f"Message {number}." for number in range(140)]
    await send(house, app, ADA, *texts[1:])
    await page.reload()
    await demo.online()
    await expect(demo.row(GRACE, texts[-1])).to_be_visible()
    await demo.pane(GRACE).locator("[data-part=pinned-strip]").click()
    await expect(demo.row(GRACE, texts[0])).to_be_focused()
    await expect(demo.row(GRACE, texts[-1])).to_have_count(0)
    await expect(demo.pane(GRACE).get_by_text("The channel begins here.")).to_be_visible()
    # Further on, page by page, until what was found meets the newest.
    log, rows = demo.conversation(GRACE).locator("[data-part=log]"), demo.conversation(GRACE).locator("li.message")
    while (loaded := await rows.count()) < len(texts):
        await log.evaluate("log => { log.scrollTop = log.scrollHeight }")
        await expect(rows).not_to_have_count(loaded)
    assert await demo.texts(GRACE) == texts
    await log.evaluate("log => { log.scrollTop = 0 }")
    await demo.conversation(GRACE).locator("[data-part=jump]").click()
    await expect(demo.row(GRACE, texts[-1])).to_be_in_viewport()
    await demo.say(ADA, "Afterwards.")
    await demo.until_texts(GRACE, [*texts, "Afterwards."])


async def test_who_reads_above_is_told_what_comes_below(house: House, house_tab: HouseTab) -> None:
    demo, app = await opened(house, await house_tab())
    await send(house, app, ADA, *(f"Message {number}." for number in range(40)))
    await demo.until_texts(GRACE, [f"Message {number}." for number in range(40)])
    log = demo.conversation(GRACE).locator("[data-part=log]")
    await log.click()
    await log.evaluate("log => { log.scrollTop = 40 }")
    jump = demo.conversation(GRACE).locator("[data-part=jump]")
    await expect(jump).to_have_attribute("aria-label", "Jump to latest")
    top = await log.evaluate("log => log.scrollTop")
    await send(house, app, ADA, "News.", "More news.")
    await expect(jump).to_have_attribute("aria-label", "Jump to latest, 2 new")
    assert await log.evaluate("log => log.scrollTop") == top
    await expect(demo.unread(GRACE)).to_have_text("2")
    await jump.click()
    await expect(demo.row(GRACE, "More news.")).to_be_in_viewport()
    await expect(jump).to_be_hidden()
    await expect(demo.unread(GRACE)).to_be_hidden()


async def test_tokens_are_renewed_while_the_page_is_open(
    house: House, house_tab: HouseTab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "LIFETIME", timedelta(seconds=8))
    demo, _ = await opened(house, await house_tab())
    await demo.page.get_by_text("What goes over the wire").click()
    renewed = demo.page.locator("[data-part=wire] tr[data-direction=ack]").filter(has_text="auth.refresh")
    await expect(renewed.first).to_be_visible(timeout=15_000)
    assert "eyJ" not in await demo.page.locator("[data-part=wire]").inner_text(), "no token is shown"
    await demo.say(ADA, "Still here.")
    await demo.until_texts(GRACE, ["Still here."])


async def test_a_revoked_user_is_told_and_can_come_back(house: House, house_tab: HouseTab) -> None:
    demo, app = await opened(house, await house_tab())
    async with server_of(house, app) as natter:
        await natter.tokens.revoke(ADA)
    await expect(demo.bar(ADA)).to_contain_text("tokens were revoked")
    await expect(demo.pane(GRACE)).to_have_attribute("data-state", "online")
    await demo.bar(ADA).get_by_role("button", name="Try now").click()
    await demo.online(ADA)


async def test_an_app_that_is_suspended_meanwhile_explains_itself(house: House, house_tab: HouseTab) -> None:
    demo, app = await opened(house, await house_tab())
    await demo.field(ADA).fill("A draft")
    async with house.portal.deps.change(Actor("operator:test")) as ctx:
        await suspend_app(ctx, app.app.id, reason="a test")
    await expect(demo.page.get_by_role("heading", name="This app is suspended")).to_be_visible(timeout=15_000)
    async with house.portal.deps.change(Actor("operator:test")) as ctx:
        await resume_app(ctx, app.app.id)
    await demo.page.reload()
    await demo.online()
    await expect(demo.field(ADA)).to_have_value("A draft")


async def test_an_origin_that_is_shut_out_meanwhile_can_be_let_in_again(house: House, house_tab: HouseTab) -> None:
    demo, app = await opened(house, await house_tab())
    async with house.portal.deps.change_as(house.member, None) as ctx:
        await set_allowed_origins(ctx, app.app.id, ["https://chat.example.com"])
    await demo.page.reload()
    await demo.page.get_by_role("button", name=f"Allow {house.portal.url}").click()
    await demo.online()
    await demo.say(ADA, "Let in.")
    await demo.until_texts(GRACE, ["Let in."])


async def test_who_is_signed_out_meanwhile_is_asked_to_sign_in(
    house: House, house_tab: HouseTab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "LIFETIME", timedelta(seconds=20))
    page = await house_tab()
    network = Network(nodes(house))
    await network.lay(page)
    demo, _ = await opened(house, page)
    await page.context.clear_cookies()
    await network.break_off()
    network.mend()
    # At the latest when the token ends: a quick way back has time to use it once more.
    await expect(demo.bar(ADA)).to_contain_text("You are signed out here.", timeout=30_000)
    await demo.bar(ADA).get_by_role("link", name="Sign in again").click()
    await expect(page.get_by_role("button", name="Sign in")).to_be_visible()


async def test_markup_is_text(house: House, house_tab: HouseTab) -> None:
    demo, _ = await opened(house, await house_tab())
    payload = "<img src=x onerror=\"alert('x')\"><script>alert(1)</script> &amp; {{ 7*7 }}"
    await demo.say(ADA, payload)
    for user in (ADA, GRACE):
        await demo.until_texts(user, [payload])
    await demo.page.get_by_text("What goes over the wire").click()
    await demo.page.get_by_label("Filter events").fill("onerror")
    await demo.page.locator("[data-part=wire] tbody button:visible").first.click()
    await expect(demo.page.locator("[data-part=wire] pre")).to_contain_text("onerror=")
    assert await demo.page.locator("[data-demo] img").count() == 0


async def test_a_full_plan_is_explained_where_the_message_stays(house: House, house_tab: HouseTab) -> None:
    page = await house_tab()
    app = await house.app()
    async with house.portal.deps.change(Actor("operator:test")) as ctx:
        await set_override(ctx, app.app.id, "messages.included", 2, reason="To be full soon")
    demo = Demo(page)
    await demo.open(f"/apps/{app.app.public_id}/demo")
    await demo.say(ADA, "One.", "Two.")
    await demo.until_texts(GRACE, ["One.", "Two."])
    refused = demo.pane(ADA).locator("li.message[data-state=refused]")
    deadline = time.monotonic() + 30
    number = 3
    while await refused.count() == 0:
        assert time.monotonic() < deadline, "the limit never came into force"
        await demo.say(ADA, f"{number}.")
        await demo.until_stored(ADA)
        number += 1
        await asyncio.sleep(0.2)
    await expect(refused.first).to_contain_text("Not sent.")
    await expect(demo.bar(ADA).get_by_role("link", name="See usage and limits")).to_have_attribute(
        "href", f"/apps/{app.app.public_id}/usage"
    )
    kept = await refused.locator(".bubble").first.inner_text()
    await page.reload()
    await demo.online()
    await expect(demo.row(ADA, kept)).to_have_attribute("data-state", "refused")
    await demo.row(ADA, kept).get_by_role("button", name="Discard").click()
    await expect(demo.row(ADA, kept)).to_have_count(0)
    await expect(demo.bar(ADA)).to_be_hidden()


async def test_what_is_sent_is_counted_in_usage(house: House, house_tab: HouseTab) -> None:
    page = await house_tab()
    demo, app = await opened(house, page)
    await demo.say(ADA, "One.", "Two.")
    await demo.until_texts(GRACE, ["One.", "Two."])
    await demo.say(GRACE, "Three.")
    await demo.until_texts(ADA, ["One.", "Two.", "Three."])
    deadline = time.monotonic() + 30
    while True:
        await page.goto(f"/apps/{app.app.public_id}/usage")
        seen = [
            await page.locator(f"[aria-labelledby=meter-{meter}] .meter-total").inner_text()
            for meter in ("messages", "mau")
        ]
        if seen == ["3 of 200,000 messages", "2 of 1,000 active users"]:
            return
        assert time.monotonic() < deadline, seen
        await asyncio.sleep(0.3)


async def test_on_a_phone_one_pane_at_a_time(house: House, house_tab: HouseTab) -> None:
    demo, _ = await opened(house, await house_tab(width=390, has_touch=True))
    await expect(demo.pane(ADA)).to_be_visible()
    await expect(demo.pane(GRACE)).to_be_hidden()
    await demo.say(ADA, "Hello.")
    tab = demo.page.get_by_role("tab", name="Grace")
    await expect(tab).to_contain_text("1")
    await demo.page.get_by_role("tab", name="Ada").focus()
    await demo.page.keyboard.press("ArrowRight")
    await expect(tab).to_be_focused()
    await expect(demo.pane(GRACE)).to_be_visible()
    await expect(demo.row(GRACE, "Hello.")).to_be_in_viewport()
    await demo.say(GRACE, "Hello back.")
    row = demo.row(GRACE, "Hello back.")
    await expect(row.locator("[data-part=actions]")).to_be_hidden()
    box = await row.bounding_box()
    assert box is not None
    await row.dispatch_event("pointerdown", {"pointerType": "touch"})
    await expect(row.locator("[data-part=actions]")).to_be_visible()
    assert await demo.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_nothing_moves_for_who_asked_for_that(house: House, house_tab: HouseTab) -> None:
    demo, _ = await opened(house, await house_tab(reduced_motion="reduce"))
    await demo.say(ADA, "Hello.")
    moving = await demo.page.evaluate(
        "document.getAnimations().filter(animation => animation.effect.getTiming().duration > 1).length"
    )
    assert moving == 0


async def test_two_browsers_see_each_others_signs(house: House, house_tab: HouseTab) -> None:
    app = await house.app()
    path = f"/apps/{app.app.public_id}/demo"
    demos = {}
    for user in (ADA, GRACE):
        demos[user] = Demo(await house_tab())
        await demos[user].page.goto(f"{path}?as={user}")
        await demos[user].online(user)
    ada, grace = demos[ADA], demos[GRACE]
    await expect(ada.pane(GRACE)).to_be_hidden()
    await expect(ada.conversation(ADA).locator("[data-part=channel-about]")).to_have_text("2 members, 2 online")
    await ada.field(ADA).press_sequentially("Hel")
    await expect(grace.conversation(GRACE).locator("[data-part=typing]")).to_have_text("Ada is typing")
    await ada.say(ADA, "Hello, Grace.")
    row = grace.row(GRACE, "Hello, Grace.")
    await expect(row).to_be_visible()
    await expect(grace.conversation(GRACE).locator("[data-part=typing]")).to_be_empty()
    await row.hover()
    await row.get_by_role("button", name="React").click()
    await grace.page.get_by_role("menuitem", name="Party").click()
    chip = grace.row(GRACE, "Hello, Grace.").locator(".chip")
    await expect(chip).to_have_attribute("aria-pressed", "true")
    seen = ada.row(ADA, "Hello, Grace.").locator(".chip")
    await expect(seen).to_have_attribute("aria-label", "🎉, 1")
    await seen.click()
    await expect(chip).to_have_attribute("aria-label", "🎉, 2, yours too")
    await chip.click()
    await expect(seen).to_have_attribute("aria-label", "🎉, 1, yours too")
    # Grace looks at her page, so Ada is told that she has read it.
    await grace.conversation(GRACE).locator("[data-part=log]").click()
    await expect(ada.row(ADA, "Hello, Grace.").get_by_role("img", name="Read", exact=True)).to_be_visible()
    # A wave passes within seconds, so it is looked out for before it comes.
    for user, each in demos.items():
        await (
            each.conversation(user)
            .locator("[data-part=waving]")
            .evaluate(
                """line => {
                window.waved = new Promise((seen) => {
                    new MutationObserver(() => seen(line.textContent)).observe(line, { childList: true });
                });
            }"""
            )
        )
    await ada.conversation(ADA).get_by_role("button", name="Wave").click()
    assert await asyncio.wait_for(grace.page.evaluate("window.waved"), 15) == "Ada waves"
    assert await asyncio.wait_for(ada.page.evaluate("window.waved"), 15) == "You wave"


async def test_what_one_deletes_for_oneself_stays_with_the_others(house: House, house_tab: HouseTab) -> None:
    demo, app = await opened(house, await house_tab())
    await demo.say(ADA, "To be kept.", "To be forgotten.")
    await demo.until_texts(GRACE, ["To be kept.", "To be forgotten."])
    await demo.until_stored(ADA)
    # Another tab is another device of both.
    other = Demo(await demo.page.context.new_page())
    await other.open(f"/apps/{app.app.public_id}/demo")
    row = demo.row(GRACE, "To be forgotten.")
    await row.focus()
    await demo.page.keyboard.press("Delete")
    await expect(row).to_contain_text("Others still see it.")
    await expect(row.get_by_role("button", name="Delete for everybody")).to_have_count(0)
    await row.get_by_role("button", name="Delete for me").click()
    await expect(demo.row(GRACE, "To be kept.")).to_be_focused()
    for each in (demo, other):
        await each.until_texts(GRACE, ["To be kept."])
        await each.until_texts(ADA, ["To be kept.", "To be forgotten."])
    # Events go on telling of it, and a pin would show it.
    await demo.row(ADA, "To be forgotten.").focus()
    await demo.page.keyboard.press("e")
    await demo.pane(ADA).get_by_label("Edit message").fill("To be remembered.")
    await demo.page.keyboard.press("Enter")
    await demo.until_stored(ADA)
    async with server_of(house, app) as natter:
        await natter.pins.add((await history(house, app))[1].id)
    await expect(demo.pane(ADA).locator("[data-part=pinned-strip]")).to_contain_text("To be remembered.")
    await demo.say(ADA, "Afterwards.")
    for each in (demo, other):
        await each.until_texts(GRACE, ["To be kept.", "Afterwards."])
        await expect(each.pane(GRACE).locator("[data-part=pinned-strip]")).to_be_hidden()
    await demo.page.reload()
    await demo.online()
    await demo.until_texts(GRACE, ["To be kept.", "Afterwards."])
    await expect(demo.row(ADA, "To be remembered.")).to_be_visible()


async def test_an_invite_is_seen_at_once_and_answered(house: House, house_tab: HouseTab) -> None:
    demo, _ = await opened(house, await house_tab())
    ada, grace = demo.pane(ADA), demo.pane(GRACE)

    async def found(name: str) -> None:
        await ada.get_by_role("button", name="All channels of Ada").click()
        await ada.get_by_role("button", name="New channel as Ada").click()
        await expect(ada.get_by_role("button", name="Create and invite")).to_be_disabled()
        await ada.get_by_label("Name of the channel").fill(name)
        await demo.page.keyboard.press("Enter")
        await expect(ada.locator("[data-part=channel-title]")).to_have_text(name)
        await expect(ada.locator("[data-part=channel-about]")).to_have_text("1 member, 1 online")

    await found("Climbing")
    await expect(ada.locator("[data-part=empty-hint]").first).to_contain_text("Ada is alone here")
    await expect(grace.locator(".invite")).to_contain_text("Ada invites you")
    await expect(demo.unread(GRACE)).to_have_text("1")
    await found("<b>Diving</b>")
    await expect(grace.locator(".invite strong")).to_have_text(["<b>Diving</b>", "Climbing"])
    await demo.say(ADA, "Is anybody here?")
    await demo.until_stored(ADA)
    # Whoever was not there when she was invited is asked the same.
    await demo.page.reload()
    await expect(grace.locator(".invite")).to_have_count(2)
    await grace.get_by_role("button", name="Decline: Climbing").click()
    await expect(grace.get_by_role("button", name="Decline: <b>Diving</b>")).to_be_focused()
    await grace.get_by_role("button", name="Join: <b>Diving</b>").click()
    await expect(grace.locator("[data-part=channel-title]")).to_have_text("<b>Diving</b>")
    await demo.until_texts(GRACE, ["Is anybody here?"])
    await expect(ada.locator("[data-part=channel-about]")).to_have_text("2 members, 2 online")
    await expect(grace.locator("[data-part=invites]")).to_be_hidden()
    await grace.get_by_role("button", name="All channels of Grace").click()
    await expect(grace.locator(".roster-row [data-part=title]")).to_have_text(["<b>Diving</b>", "Demo"])


async def test_the_owner_slows_the_channel_freezes_it_and_puts_it_away(house: House, house_tab: HouseTab) -> None:
    demo, app = await opened(house, await house_tab())

    async def more(name: str) -> None:
        await demo.conversation(ADA).get_by_role("button", name="More").click()
        await demo.page.get_by_role("menuitem", name=name).click()

    await more("Slow down")
    pace = demo.conversation(GRACE).locator("[data-part=pace]")
    await expect(pace).to_have_text("Slow mode: one message every 10 s")
    await expect(demo.conversation(ADA).locator("[data-part=pace]")).to_be_hidden()
    # So slow that no machine is too slow to see it.
    async with server_of(house, app) as natter:
        await natter.channels.update("demo", slow_mode=3600)
    await expect(pace).to_have_text("Slow mode: one message every 60 min")
    await demo.say(GRACE, "One.")
    await demo.until_texts(ADA, ["One."])
    await expect(pace).to_contain_text("until your next message")
    await demo.field(GRACE).fill("Two.")
    await demo.field(GRACE).press("Enter")
    await expect(demo.field(GRACE)).to_have_value("Two.")
    await expect(demo.conversation(GRACE).get_by_role("button", name="Send")).to_be_disabled()
    await more("End slow mode")
    await expect(pace).to_be_hidden()
    await expect(demo.conversation(GRACE).get_by_role("button", name="Send")).to_be_enabled()

    await more("Freeze")
    await expect(demo.conversation(GRACE).get_by_text("This channel is frozen")).to_be_visible()
    await expect(demo.field(GRACE)).to_be_hidden()
    await expect(demo.row(GRACE, "One.").locator("[data-do=edit]")).to_have_count(0)
    await more("Thaw")
    await expect(demo.field(GRACE)).to_be_visible()

    await more("Archive for me")
    await demo.page.reload()
    await demo.online()
    ada = demo.pane(ADA)
    await ada.get_by_role("button", name="All channels of Ada").click()
    await expect(ada.get_by_text("No channels yet.")).to_be_visible()
    await ada.get_by_role("button", name="Archived, 1").click()
    await ada.locator(".roster-row button").click()
    await expect(ada.locator("[data-part=channel-about]")).to_contain_text("archived")
    await more("Take out of the archive")
    await expect(ada.locator("[data-part=channel-about]")).not_to_contain_text("archived")


async def test_a_guest_comes_in_with_the_publishable_key_alone(house: House, house_tab: HouseTab) -> None:
    demo, app = await opened(house, await house_tab())
    async with demo.page.context.expect_page() as opening:
        await demo.page.get_by_role("link", name="Open as a guest").click()
    page = await opening.value
    watch = Watch(page)
    await expect(page.get_by_role("heading", name="Support chat lets no guests in")).to_be_visible()
    await page.get_by_role("link", name="Go to settings").click()
    await page.get_by_role("button", name="Let guests in").click()
    await expect(page.get_by_text("Guests may come in.", exact=True)).to_be_visible()
    await page.goto(f"/apps/{app.app.public_id}/demo/guest")
    await page.get_by_label("Your name").fill("Ivy <i>")
    await page.get_by_role("button", name="Come in").click()
    guest, field = page.locator("#pane-guest"), page.get_by_label("Message as Guest", exact=True)
    await expect(guest).to_have_attribute("data-state", "online", timeout=20_000)
    await expect(guest.get_by_role("heading", name="Ivy <i>")).to_be_visible()
    await field.fill("Is anybody here?")
    await field.press("Enter")
    await expect(demo.row(ADA, "Is anybody here?").locator(".message-author")).to_have_text("Ivy <i>")
    await demo.say(GRACE, "We are.")
    await expect(guest.locator("li.message").filter(has_text="We are.")).to_be_visible()
    await expect(guest.locator("[data-do=pin], [data-do=edit]").last).to_have_attribute("data-do", "edit")
    # Whoever comes back with its tokens is the same guest; whoever leaves them is another.
    was = await page.locator("[data-part=guest-id]").inner_text()
    await page.reload()
    await expect(guest.locator("li.message")).to_have_count(2)
    assert await page.locator("[data-part=guest-id]").inner_text() == was
    await page.get_by_role("button", name="Leave").click()
    await expect(page.get_by_label("Your name")).to_be_visible()
    watch.check()


async def test_a_long_list_of_channels_is_searched_opened_and_kept_small(house: House, house_tab: HouseTab) -> None:
    app = await house.app()
    async with server_of(house, app) as natter:
        await natter.users.upsert([{"id": ADA, "name": "Ada"}, {"id": GRACE, "name": "Grace"}])
        for number in range(40):
            await natter.channels.create(id=f"c{number}", name=f"Channel {number}", members=[ADA, GRACE])
    demo = Demo(await house_tab())
    written = asyncio.Lock()

    async def while_its_newest_message_is_on_its_way(route: Route) -> None:
        none = await route.fetch()
        async with written:
            if not await history(house, app, channel="c7"):
                await send(house, app, GRACE, "One.", "Two.", channel="c7")
        await route.fulfill(response=none)

    await demo.page.route("**/v1/channels/c7/messages?limit=1", while_its_newest_message_is_on_its_way)
    await demo.open(f"/apps/{app.app.public_id}/demo?as={ADA}")
    rows = demo.pane(ADA).locator(".roster-row")
    await expect(rows.first).to_be_visible()
    await expect(rows.first).to_contain_text("Channel 7")
    await expect(rows.first).to_contain_text("Grace: Two.")
    await expect(rows.first.locator("[data-part=badge]")).to_have_text("2")
    await demo.page.unroute_all(behavior="wait")
    assert await rows.count() < 30
    search = demo.pane(ADA).get_by_label("Search Ada's channels")
    await search.fill("channel 3")
    await expect(rows).to_have_count(11)
    await search.fill("nothing like it")
    await expect(demo.pane(ADA).get_by_text("No channel has a name like this.")).to_be_visible()
    await search.press("Escape")
    await rows.first.get_by_role("button").click()
    await demo.until_texts(ADA, ["One.", "Two."])
    await expect(demo.pane(ADA).locator("li.new + li")).to_contain_text("One.")
    await expect(rows.first.locator("[data-part=badge]")).to_be_hidden()
    await demo.conversation(ADA).get_by_role("button", name="More").click()
    await demo.page.get_by_role("menuitem", name="Mute").click()
    await expect(rows.first.get_by_role("img", name="Muted")).to_be_visible()
    await demo.page.reload()
    await demo.until_texts(ADA, ["One.", "Two."])
    await expect(demo.pane(ADA).locator("[data-part=channel-title]")).to_have_text("Channel 7")


async def test_what_is_quoted_far_above_in_a_thread_is_brought_into_sight(house: House, house_tab: HouseTab) -> None:
    demo, app = await opened(house, await house_tab())
    async with server_of(house, app) as natter:
        ada = natter.for_user(ADA).messages
        root = (await ada.send("demo", text="Where do we meet?")).id
        replies = [(await ada.send("demo", text=f"Reply {number}.", thread_id=root)).id for number in range(120)]
        await ada.send("demo", text="As I said.", thread_id=root, quoted_id=replies[3])
    asked: list[str] = []
    demo.page.on("request", lambda request: asked.append(request.url) if "/replies" in request.url else None)
    await demo.conversation(GRACE).locator("li.message .thread-link").click()
    beside = demo.pane(GRACE).locator("[data-part=beside]")
    await beside.locator(".quote").click()
    await expect(beside.locator("li.message").filter(has_text="Reply 3.").first).to_be_focused()
    assert [url.partition("?")[2] for url in asked] == ["limit=50", f"limit=50&around={replies[3]}"]
    await expect(beside.locator("li.message").filter(has_text="Reply 0.")).to_have_count(1)
    await beside.get_by_role("button", name="Jump to latest").click()
    await expect(beside.locator("li.message").filter(has_text="As I said.")).to_be_visible()


async def test_quotes_threads_and_mentions_are_seen_by_both_until_all_is_taken_away(
    house: House, house_tab: HouseTab
) -> None:
    demo, app = await opened(house, await house_tab())
    await demo.say(ADA, "Where do we meet?")
    question = demo.conversation(GRACE).locator("li.message").first
    await question.focus()
    await demo.page.keyboard.press("r")
    await demo.say(GRACE, "@Ada at the station")
    answer = demo.row(ADA, "at the station")
    await expect(answer.locator(".quote")).to_contain_text("Where do we meet?")
    await demo.until_stored(GRACE)

    await question.focus()
    await demo.page.keyboard.press("t")
    beside = demo.pane(GRACE).locator("[data-part=beside]")
    await expect(beside.locator("[data-part=thread-root]")).to_contain_text("Where do we meet?")
    field = beside.locator("textarea")
    await field.fill("Or at the harbour")
    await field.press("Enter")
    await expect(beside.locator("li.message")).to_contain_text("Or at the harbour")
    link = demo.conversation(ADA).locator("li.message .thread-link")
    await expect(link).to_contain_text("1 reply")
    await link.click()
    other = demo.pane(ADA).locator("[data-part=beside]")
    await expect(other.locator("li.message")).to_contain_text("Or at the harbour")
    await other.locator("textarea").fill("Fine")
    await other.locator("textarea").press("Enter")
    await expect(beside.locator("li.message").nth(1)).to_contain_text("Fine")
    await expect(demo.conversation(GRACE).locator("li.message").first).to_contain_text("2 replies")

    for user, thread in ((ADA, other), (GRACE, beside)):
        await thread.locator("textarea").press("Escape")
        await expect(thread).to_be_hidden()
        await expect(demo.conversation(user)).to_be_visible()
    await demo.conversation(ADA).locator("li.message").first.focus()
    await demo.page.keyboard.press("e")
    await expect(demo.conversation(ADA).locator("li.message textarea")).to_be_focused()
    await demo.page.keyboard.press("End")
    await demo.page.keyboard.type(" Tell me.")
    await demo.page.keyboard.press("Enter")
    quote = demo.conversation(GRACE).locator("li.message .quote")
    await expect(quote).to_contain_text("Tell me.")
    await demo.field(GRACE).press_sequentially("@A")
    await expect(demo.pane(GRACE).get_by_role("option", name="Ada")).to_be_visible()
    await demo.field(GRACE).press("Enter")
    await demo.field(GRACE).press_sequentially("look")
    await demo.field(GRACE).press("Enter")
    mark = demo.conversation(ADA).locator("li.message .mention")
    await expect(mark.last).to_have_text("@Ada")
    await demo.until_stored(GRACE)

    async with server_of(house, app) as natter:
        await natter.channels.truncate("demo")
    await expect(demo.page.get_by_text("No messages yet")).to_have_count(2)
    await demo.say(ADA, "Once more")
    await demo.until_texts(GRACE, ["Once more"])


async def test_what_is_pinned_stands_above_the_messages_on_both_sides_until_it_ends(
    house: House, house_tab: HouseTab
) -> None:
    demo, app = await opened(house, await house_tab())
    await demo.say(ADA, "Be kind.", "Lunch at one?", "Soup today.")
    await demo.until_stored(ADA)
    strip, list_of = demo.pane(GRACE).locator("[data-part=pinned-strip]"), demo.pane(GRACE).locator("[data-part=pins]")
    await expect(strip).to_be_hidden()
    await demo.conversation(GRACE).get_by_role("button", name="Pinned messages").click()
    await expect(list_of).to_have_text("Nothing is pinned here.")

    async def pin(text: str, term: str) -> None:
        row = demo.row(ADA, text)
        await row.focus()
        await demo.page.keyboard.press("p")
        await demo.page.get_by_role("menuitem", name=term).click()
        await expect(row.get_by_role("img", name="Pinned")).to_be_visible()

    await pin("Be kind.", "Until it is unpinned")
    await pin("Lunch at one?", "For an hour")
    await expect(strip).to_contain_text("newest of 2")
    await expect(strip).to_contain_text("Lunch at one?")
    rows = list_of.locator("[data-id]")
    await expect(rows).to_contain_text(["Lunch at one?", "Be kind."])
    await expect(rows.first).to_contain_text("Pinned by Ada, until")
    await expect(rows.locator("[data-do=unpin]")).to_have_count(0)
    await expect(demo.row(GRACE, "Be kind.").locator("[data-do=pin]")).to_have_count(0)

    await demo.row(ADA, "Lunch at one?").focus()
    await demo.page.keyboard.press("Delete")
    await demo.row(ADA, "Lunch at one?").get_by_role("button", name="Delete for everybody").click()
    await expect(rows).to_contain_text(["Be kind."])
    await demo.row(ADA, "Be kind.").focus()
    await demo.page.keyboard.press("e")
    await demo.pane(ADA).get_by_label("Edit message").fill("Be kind, always.")
    await demo.page.keyboard.press("Enter")
    await expect(rows).to_contain_text(["Be kind, always."])

    # The server pins; then its pin gets an end, which comes by itself.
    async with server_of(house, app) as natter:
        soup = (await history(house, app))[2].id
        await natter.pins.add(soup)
        await expect(strip).to_contain_text("Soup today.")
        for _ in range(20):
            with suppress(errors.InvalidInput):  # a machine so busy that the moment was over before the server read it
                await natter.pins.add(soup, expires_at=datetime.now(UTC) + timedelta(seconds=1))
                break
    await expect(strip).to_contain_text("Be kind, always.")

    shelf = demo.conversation(ADA).get_by_role("button", name="Pinned messages")
    await shelf.click()
    own = demo.pane(ADA).locator("[data-part=pins] [data-id]")
    await own.get_by_role("button", name="Be kind").click()
    await expect(demo.row(ADA, "Be kind, always.")).to_be_focused()
    await shelf.click()
    await own.get_by_role("button", name="Unpin").click()
    for user in (ADA, GRACE):
        await expect(demo.pane(user).locator("[data-part=pinned-strip]")).to_be_hidden()
    await expect(own).to_have_count(0)
