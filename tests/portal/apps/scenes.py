"""Pictures of an app's pages and of the documentation, with real nodes behind them.

.venv/bin/python -m tests.portal.apps.scenes FOLDER [words that a picture's name holds …]
"""

import asyncio
import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from playwright.async_api import Page, expect

from billing.terms.service import set_override
from control_plane.apps.service import set_allowed_origins, set_anonymous, set_guests
from control_plane.context import Actor
from control_plane.keys.api_keys import create_secret_key, revoke_api_key
from control_plane.keys.jwks_url import Fetched
from control_plane.keys.key_sets import follow_key_set
from control_plane.keys.signing_keys import add_public_key
from kernel.contracts import AppSnapshot
from kernel.ids import format_id, parse_id
from ops.ports import free_port
from ops.seed.tenant import Seeding, Wish, shard_of_the_past
from tests.portal.apps.demo import ADA, GRACE, NAMES, Demo
from tests.portal.apps.house import House, open_house
from tests.portal.browser import chromium
from tests.portal.harness import Portal
from tests.portal.screens import Shot, take
from tests.portal.unsafe import PEM

TALK = (
    (ADA, "Good morning, Grace. Did the night build pass?"),
    (GRACE, "It did, after one retry."),
    (GRACE, "The flaky one was the clock test again: it assumed that two timestamps taken in a row are never equal."),
    (ADA, "I will look at it after lunch."),
    (GRACE, "Thanks!"),
)


async def new_app(house: House) -> list[Shot]:
    """An app as it begins."""
    base = f"/apps/{(await house.app('New app')).app.public_id}"

    async def make_key(page: Page) -> None:
        await page.get_by_role("button", name="Create a secret key for this code").click()
        await expect(page.get_by_text("Your secret key")).to_be_visible()

    async def curl(page: Page) -> None:
        await make_key(page)
        await page.locator("label[for=guide-curl]").click()

    async def begin(page: Page) -> None:
        demo = Demo(page)
        await demo.online()
        if await demo.conversation(ADA).get_attribute("data-content") == "empty":
            await demo.pane(ADA).get_by_role("button", name="Start with an example").click()
        await expect(demo.row(ADA, "Then Thursday at ten")).to_be_visible()

    return [
        Shot("app-new", base, house.owner),
        Shot("quickstart", f"{base}/quickstart", house.owner),
        Shot("quickstart-secret", f"{base}/quickstart", house.owner, make_key),
        Shot("quickstart-curl", f"{base}/quickstart", house.owner, curl),
        Shot("usage-none", f"{base}/usage", house.owner),
        Shot("settings-open", f"{base}/settings", house.owner),
        Shot("demo-empty", f"{base}/demo", house.owner, lambda page: Demo(page).online()),
        Shot("demo-begun", f"{base}/demo", house.owner, begin, settled=False),
    ]


async def keys(house: House) -> list[Shot]:
    """Keys in every state, and the forms about them."""
    app = (await house.app("Keys")).app
    base = f"/apps/{app.public_id}"
    async with house.portal.deps.change_as(house.member, None) as ctx:
        some = await create_secret_key(ctx, app.id, scopes=["messages", "channels"])
        ending = await create_secret_key(ctx, app.id, expires_at=ctx.now + timedelta(days=6))
        made = [await create_secret_key(ctx, app.id) for _ in range(2)]
        await set_allowed_origins(ctx, app.id, ["https://chat.example.com", "https://staging.chat.example.com"])
        await set_anonymous(ctx, app.id, True)
        ended, pending = [await revoke_api_key(ctx, app.id, parse_id("key", key.id)) for key in made]
        (kid,) = await add_public_key(ctx, app.id, PEM, kid="login-2026-11")
    await house.portal.sql(
        "update control.api_keys set last_used_at = now() - interval '3 minutes' where app_id = $1 and scopes <> '{*}'",
        app.id,
    )
    live = (await house.portal.app_of(house.member, "Live shop", "production")).app
    async with house.portal.deps.change_as(house.member, None) as ctx:
        await set_allowed_origins(ctx, live.id, ["https://shop.example"])
    (last,) = await house.portal.sql("select id from control.api_keys where app_id = $1 and kind = 'secret'", live.id)
    (signing,) = await house.portal.sql(
        "select id from control.signing_keys where app_id = $1 and kid = $2", app.id, kid
    )
    # A version that no node has reached.
    await house.portal.sql("update control.api_keys set revoked_version = 99999999 where id = $1", pending.id)
    await house.portal.sql("update control.api_keys set revoked_version = 1 where id = $1", ended.id)
    # Found in public: one was revoked for it, one still works because the app wants to be told alone.
    await house.portal.sql(
        "update control.api_keys set exposed_at = now() - interval '2 hours', exposed_by = 'github', "
        "exposed_where = 'https://github.com/analytical/engine/blob/main/deploy/production.env#L12' where id = any($1)",
        [ended.id, parse_id("key", some.id)],
    )
    async with house.portal.deps.change_as(house.member, None) as ctx:
        await follow_key_set(ctx, app.id, "https://login.example.com/.well-known/jwks.json", Fetched(PEM))
    await house.portal.sql(
        "insert into control.key_sets values (gen_random_uuid(), $1, 'https://id.example.org/keys', now(), "
        "now() - interval '3 hours', now(), now(), 4, 'The address answers with 503; redirects are not followed.')",
        app.id,
    )

    async def show_ended(page: Page) -> None:
        await page.get_by_text("that ended").click()

    async def choose_nothing(page: Page) -> None:
        await page.get_by_text("Only what you choose").click()
        await page.get_by_role("button", name="Create key").click()
        await expect(page.get_by_text("Choose at least one.")).to_be_visible()

    async def mistype(page: Page) -> None:
        await page.get_by_label("Type the last four").fill("nope")
        await page.get_by_role("button", name="Revoke key").click()
        await expect(page.get_by_text("These are not")).to_be_visible()

    async def roll(page: Page) -> None:
        await page.get_by_role("button", name="Roll key").click()
        await expect(page.get_by_text("I have stored it")).to_be_visible()

    async def inside(page: Page) -> None:
        await page.get_by_label("Or the address of a JWKS").fill("https://localhost/jwks.json")
        await page.get_by_role("button", name="Add key").click()
        await expect(page.get_by_text("not on the internet")).to_be_visible()

    async def new_secret(page: Page) -> None:
        await page.get_by_role("button", name="Create signing secret").click()
        await expect(page.get_by_text("I have stored it")).to_be_visible()

    async def wrong_name(page: Page) -> None:
        await page.get_by_label("Type the name").fill("Something else")
        await page.get_by_role("button", name="Delete app").click()
        await expect(page.get_by_text("type its name: ")).to_be_visible()

    async def no_origin(page: Page) -> None:
        await page.get_by_label("Add an origin").fill("chat.example.com/app")
        await page.get_by_role("button", name="Add origin").click()
        await expect(page.get_by_text("is not an origin")).to_be_visible()

    return [
        Shot("keys", f"{base}/keys", house.owner, show_ended),
        Shot("keys-new", f"{base}/keys/new", house.owner),
        Shot("keys-new-error", f"{base}/keys/new", house.owner, choose_nothing),
        Shot("keys-revoke", f"{base}/keys/{some.id}/revoke", house.owner),
        Shot("keys-revoke-error", f"{base}/keys/{some.id}/revoke", house.owner, mistype),
        Shot("keys-revoke-last", f"/apps/{live.public_id}/keys/{format_id('key', last['id'])}/revoke", house.owner),
        Shot("signing-new", f"{base}/signing-keys/new", house.owner),
        Shot("signing-new-error", f"{base}/signing-keys/new", house.owner, inside),
        Shot("signing-made", f"{base}/signing-keys/new", house.owner, new_secret),
        Shot("signing-revoke", f"{base}/signing-keys/{format_id('key', signing['id'])}/revoke", house.owner),
        Shot("settings-production", f"/apps/{live.public_id}/settings", house.owner),
        Shot("settings-promote", f"{base}/settings/promote", house.owner),
        Shot("settings-delete", f"{base}/settings/delete", house.owner, wrong_name),
        Shot("keys-roll", f"{base}/keys/{some.id}/roll", house.owner),
        Shot("keys-rolled", f"{base}/keys/{ending.id}/roll", house.owner, roll),
        Shot("settings-list", f"{base}/settings", house.owner),
        Shot("settings-error", f"{base}/settings", house.owner, no_origin),
        Shot("demo-origin", f"{base}/demo", house.owner),
    ]


async def usage(house: House) -> list[Shot]:
    """Limits far away, in sight, reached, and none; a month that is over."""
    shots = []
    for name, messages, users in (("far", 2_000_000, 5_000), ("near", 70_000, 290), ("over", 30_000, None)):
        app = (await house.portal.app_of(house.member, f"Usage {name}")).app
        await _use(house.portal, app.id)
        async with house.portal.deps.change(Actor("operator:test")) as ctx:
            await set_override(ctx, app.id, "messages.included", messages, reason="A picture")
            await set_override(ctx, app.id, "mau.included", users or 10**15, reason="A picture")
        base = f"/apps/{app.public_id}"
        shots += [
            Shot(f"usage-{name}", f"{base}/usage", house.owner, _point if name == "near" else _open_table),
            Shot(f"app-{name}", base, house.owner),
        ]
    past = (datetime.now(UTC).replace(day=1) - timedelta(days=1)).strftime("%Y-%m")
    shots.append(Shot("usage-past", f"{base}/usage?month={past}", house.owner))
    await house.portal.sql("update control.apps set status = 'suspended' where id = $1", app.id)
    production = (await house.portal.app_of(house.member, "Production", "production")).app
    return [
        *shots,
        Shot("app-suspended", base, house.owner),
        Shot("demo-suspended", f"{base}/demo", house.owner),
        Shot("demo-production", f"/apps/{production.public_id}/demo", house.owner),
    ]


async def chat(house: House) -> list[Shot]:
    """The demo in use."""
    path = f"/apps/{(await house.app('Live')).app.public_id}/demo"

    async def talk(page: Page) -> Demo:
        demo = Demo(page)
        await demo.online()
        for user, text in TALK:
            await look_at(page, user)
            await demo.say(user, text)
            await demo.until_stored(user)
        return demo

    async def edit(page: Page) -> None:
        demo = await talk(page)
        await demo.field(GRACE).press("ArrowUp")

    async def ask(page: Page) -> None:
        await edit(page)
        await page.keyboard.press("Escape")
        await page.keyboard.press("Delete")

    async def away(page: Page) -> Demo:
        demo = await talk(page)
        await demo.switch(GRACE)
        await demo.say(GRACE, "Are you still there?")
        await look_at(page, ADA)
        await demo.say(ADA, "Yes. You are offline, it seems.")
        await demo.until_stored(ADA)
        await look_at(page, GRACE)
        return demo

    async def pinned(page: Page) -> Demo:
        demo = await talk(page)
        await look_at(page, ADA)
        for text, term in ((TALK[0][1], "For a day"), (TALK[2][1], "Until it is unpinned")):
            row = demo.row(ADA, text).last
            if await row.get_by_role("img", name="Pinned").count() == 0:
                await row.focus()
                await page.keyboard.press("p")
                await page.get_by_role("menuitem", name=term).click()
            await expect(row.get_by_role("img", name="Pinned")).to_be_visible()
        return demo

    async def pins(page: Page) -> None:
        demo = await pinned(page)
        await demo.conversation(ADA).get_by_role("button", name="Pinned messages").click()

    async def pins_of_one(page: Page) -> None:
        await pins(page)
        view = page.locator(f'[data-view-of="{ADA}"]')
        if await view.is_visible():
            await view.click()

    async def pinning(page: Page) -> None:
        demo = await talk(page)
        await look_at(page, ADA)
        await demo.row(ADA, TALK[3][1]).last.focus()
        await page.keyboard.press("p")

    async def back(page: Page) -> None:
        demo = await away(page)
        await demo.switch(GRACE)
        await demo.online(GRACE)
        await page.get_by_text("What goes over the wire").click()

    return [
        Shot("demo-talk", path, house.owner, talk),
        Shot("demo-edit", path, house.owner, edit),
        Shot("demo-delete", path, house.owner, ask),
        Shot("demo-pinned", path, house.owner, pinned),
        Shot("demo-pins", path, house.owner, pins),
        Shot("demo-pins-one", path, house.owner, pins_of_one),
        Shot("demo-pinning", path, house.owner, pinning),
        Shot("demo-away", path, house.owner, away),
        Shot("demo-back", path, house.owner, back),
    ]


async def change(house: House) -> list[Shot]:
    """What becomes of messages and channels: earlier versions, deletions, invites, a slow channel and a frozen one."""
    app = await house.app("Changes")
    path, channel = f"/apps/{app.app.public_id}/demo", f"{next(iter(house.whole.node_urls.values()))}/v1/channels/demo"
    headers = {"authorization": f"Bearer {app.secret_key}"}

    async def talk(page: Page) -> Demo:
        # As no picture before has left it.
        for patch, wish in (
            ("", {"frozen": False, "slow_mode": 0}),
            ("/membership", {"user_id": ADA, "archived": False}),
        ):
            await house.whole.http.patch(channel + patch, json=wish, headers=headers)
        demo = Demo(page)
        await demo.online()
        await look_at(page, ADA)
        await demo.say(ADA, "Lunch at noon?", "By the harbour.")
        await demo.until_stored(ADA)
        await look_at(page, GRACE)
        await demo.say(GRACE, "I would rather not say.", "Gladly.")
        await demo.until_stored(GRACE)
        return demo

    async def versions(page: Page) -> None:
        demo = await talk(page)
        await look_at(page, ADA)
        for text in ("Lunch at one, then?", "Lunch at half past twelve?"):
            await demo.row(ADA, "Lunch at").last.focus()
            await page.keyboard.press("e")
            await demo.pane(ADA).get_by_label("Edit message").fill(text)
            await page.keyboard.press("Enter")
            await demo.until_stored(ADA)
        await demo.row(ADA, "Lunch at").last.get_by_role("button", name="edited").click()
        await expect(demo.row(ADA, "Lunch at").last.locator(".versions li")).to_have_count(2)

    async def asked(page: Page, user: str, text: str) -> Demo:
        demo = await talk(page)
        await look_at(page, user)
        await demo.row(user, text).last.focus()
        await page.keyboard.press("Delete")
        return demo

    async def own(page: Page) -> None:
        await asked(page, GRACE, "I would rather")

    async def others(page: Page) -> None:
        await asked(page, GRACE, "By the harbour")

    async def deleted(page: Page) -> None:
        demo = await asked(page, GRACE, "I would rather")
        await page.locator(f"#pane-{GRACE} [data-do=remove]").click()
        await demo.until_stored(GRACE)
        await demo.row(GRACE, "Message deleted").last.focus()

    async def slow(page: Page) -> None:
        demo = await talk(page)
        await more(page, "Slow down")
        await look_at(page, GRACE)
        await demo.say(GRACE, "Not so fast.")
        await demo.until_stored(GRACE)
        await demo.field(GRACE).fill("As I said")
        await expect(demo.conversation(GRACE).locator("[data-part=pace]")).to_contain_text("until your next")

    async def more(page: Page, name: str) -> None:
        demo = Demo(page)
        await look_at(page, ADA)
        await demo.conversation(ADA).get_by_role("button", name="More").click()
        await page.get_by_role("menuitem", name=name).click()

    async def choices(page: Page) -> None:
        demo = await talk(page)
        await look_at(page, ADA)
        await demo.conversation(ADA).get_by_role("button", name="More").click()

    async def frozen(page: Page) -> None:
        demo = await talk(page)
        await more(page, "Freeze")
        await look_at(page, GRACE)
        await expect(demo.conversation(GRACE).get_by_text("This channel is frozen")).to_be_visible()

    async def wave(page: Page) -> None:
        demo = await talk(page)
        await look_at(page, ADA)
        await demo.conversation(ADA).get_by_role("button", name="Wave").click()
        await look_at(page, GRACE)
        await expect(demo.conversation(GRACE).locator(".wave")).to_be_visible()

    async def wire(page: Page) -> None:
        await wave(page)
        await page.get_by_text("What goes over the wire").click()
        await page.get_by_label("Filter events").fill("event.sent")
        await page.locator("[data-part=wire] td button:visible").first.click()

    async def found(page: Page, name: str) -> Demo:
        demo = Demo(page)
        await demo.online()
        await look_at(page, ADA)
        await demo.pane(ADA).locator("[data-part=back]").click()
        await page.get_by_label("New channel as Ada").click()
        await demo.pane(ADA).get_by_label("Name of the channel").fill(name)
        return demo

    async def invited(page: Page) -> None:
        demo = await found(page, "Climbing on Thursdays")
        await page.get_by_role("button", name="Create and invite").click()
        await look_at(page, GRACE)
        await expect(demo.pane(GRACE).locator(".invite").first).to_be_visible()

    async def archived(page: Page) -> None:
        demo = await talk(page)
        await more(page, "Archive for me")
        await demo.pane(ADA).locator("[data-part=back]").click()
        await expect(demo.pane(ADA).locator("[data-part=archived]")).to_be_visible()

    return [
        Shot("demo-versions", path, house.owner, versions),
        Shot("demo-delete-own", path, house.owner, own),
        Shot("demo-delete-others", path, house.owner, others),
        Shot("demo-deleted", path, house.owner, deleted),
        Shot("demo-wave", path, house.owner, wave, settled=False),
        Shot("demo-wire", path, house.owner, wire),
        Shot("demo-choices", path, house.owner, choices),
        Shot("demo-founding", path, house.owner, lambda page: found(page, "Climbing on Thursdays")),
        Shot("demo-invited", path, house.owner, invited),
        Shot("demo-slow", path, house.owner, slow),
        Shot("demo-frozen", path, house.owner, frozen),
        Shot("demo-archived", path, house.owner, archived),
    ]


async def guests(house: House) -> list[Shot]:
    """The demo as a guest, where the app lets guests in and where it does not."""
    shut = (await house.app("Shut")).app
    app = (await house.app("Open")).app
    async with house.portal.deps.change_as(house.member, None) as ctx:
        await set_guests(ctx, app.id, True)
    path = f"/apps/{app.public_id}/demo/guest"

    async def enter(page: Page) -> None:
        await page.get_by_label("Your name").fill("Ivy")
        await page.get_by_role("button", name="Come in").click()
        await expect(page.locator("#pane-guest")).to_have_attribute("data-state", "online")
        await page.get_by_label("Message as Guest").fill("Hello, I have a question.")
        await page.keyboard.press("Enter")
        await expect(page.locator("li.message[data-state=waiting]")).to_have_count(0)

    async def refuse(page: Page) -> None:
        await page.route("**/v1/guests", lambda route: route.abort())
        await page.get_by_role("button", name="Come in").click()
        await expect(page.get_by_role("alert")).to_be_visible()

    return [
        Shot("guest-shut", f"/apps/{shut.public_id}/demo/guest", house.owner),
        Shot("guest-door", path, house.owner),
        Shot("guest-door-error", path, house.owner, refuse),
        Shot("guest-inside", path, house.owner, enter),
    ]


async def seeded(house: House) -> list[Shot]:
    """The demo with much in it: the list, a channel, a search that finds nothing, and messages that do not come."""
    app = await house.app("Busy")
    wish = Wish(users=60, channels=40, messages=3_000, months=3, until=datetime.now(UTC))
    shard = house.whole.settings.shard_settings(app.app.shard)
    snapshot = AppSnapshot(
        app_id=app.app.public_id,
        organization_id=format_id("org", app.app.organization_id),
        version=app.app.version,
        shard=app.app.shard,
        environment="development",
        status="active",
    )
    async with shard_of_the_past(shard.database_url, shard.id, wish.until) as past:
        await Seeding(past, snapshot, wish, lambda words: None).run()
    path = f"/apps/{app.app.public_id}/demo"

    async def show_list(page: Page) -> None:
        await Demo(page).online(ADA)
        back = page.locator(f"#pane-{ADA} [data-part=back]")
        if await back.is_visible():
            await back.click()
        await expect(page.locator(f"#pane-{ADA} .roster-row").first).to_be_visible()
        await page.wait_for_load_state("networkidle")  # until then the last words come in, and the order with them

    async def open_one(page: Page) -> None:
        await show_list(page)
        await page.locator(f"#pane-{ADA} .roster-row button").nth(1).click()
        await expect(page.locator(f"#pane-{ADA} li.message").first).to_be_visible()

    async def find_none(page: Page) -> None:
        await show_list(page)
        await page.get_by_label("Search Ada's channels").fill("nothing like it")

    async def fail(page: Page) -> None:
        await page.route("**/messages?*", lambda route: route.abort())
        await page.reload()
        await expect(Demo(page).bar(ADA)).to_be_visible()

    return [
        Shot("demo-seeded-both", path, house.owner, show_list),
        Shot("demo-seeded-list", f"{path}?as={ADA}", house.owner, show_list),
        Shot("demo-seeded-channel", f"{path}?as={ADA}", house.owner, open_one),
        Shot("demo-seeded-none", f"{path}?as={ADA}", house.owner, find_none),
        Shot("demo-seeded-failing", f"{path}?as={ADA}", house.owner, fail, settled=False),
    ]


async def docs(house: House) -> list[Shot]:
    """What is there to read, for members and for strangers."""
    return [
        Shot("docs-api", "/docs/api", house.owner),
        Shot("docs-api-stranger", "/docs/api#sendMessage"),
        Shot("docs-realtime", "/docs/realtime"),
        Shot("docs-errors", "/docs/errors"),
    ]


async def look_at(page: Page, user: str) -> None:
    """On a phone: choose the user's tab."""
    tab = page.get_by_role("tab", name=NAMES[user])
    if await tab.is_visible():
        await tab.click()


async def _point(page: Page) -> None:
    box = await page.locator("[data-chart]").first.bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 80)


async def _open_table(page: Page) -> None:
    await page.get_by_text("The same as a table").first.click()


async def _use(portal: Portal, app_id: UUID) -> None:
    """Two months of an app at work, the same in every picture."""
    dice = random.Random(4)
    now = datetime.now(UTC)
    hour = (now.replace(day=1) - timedelta(days=20)).replace(hour=8, minute=0, second=0, microsecond=0)
    while hour < now:
        for meter, least, most in (("messages", 300, 1500), ("mau", 0, 9), ("peak_connections", 20, 70)):
            await portal.sql(
                "insert into control.usage_hourly (app_id, meter, hour, quantity) values ($1, $2, $3, $4)",
                app_id,
                meter,
                hour,
                dice.randint(least, most),
            )
        hour += timedelta(hours=8)


async def main(folder: Path, words: list[str]) -> None:
    async with open_house(free_port()) as house, chromium() as browser:
        for scene in (new_app, keys, usage, chat, change, guests, seeded, docs):
            shots = await scene(house)
            wanted = [shot for shot in shots if not words or any(word in shot.name for word in words)]
            await take(house.portal, browser, wanted, folder)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2:]))
