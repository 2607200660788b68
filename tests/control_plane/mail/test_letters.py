"""Letters: both forms say the same, nothing typed becomes markup, and only the outbox can read them back."""

import asyncio
import re
from datetime import timedelta
from html.parser import HTMLParser

import pytest

from billing.tenants import last_invoice_made
from control_plane import mail
from control_plane.housekeeping import Housekeeper
from control_plane.mail import Letter
from control_plane.mail.letters import KINDS
from control_plane.mail.outbox import get_letter, list_letters
from kernel.clock import ManualClock
from kernel.errors import InvalidInput, NotFound
from kernel.settings import Settings
from tests.control_plane.fixtures import PASSWORD, World

SETTINGS = Settings(portal_url="https://chat.example.com/")
TO = "ada@example.com"
XSS = "<script>alert(1)</script>\"'&{{ 7 * 7 }}"


def every_letter() -> dict[str, Letter]:
    letters = [
        mail.confirm_address(SETTINGS, to=TO, token="t0ken"),
        mail.account_exists(SETTINGS, to=TO),
        mail.reset_password(SETTINGS, to=TO, token="t0ken"),
        mail.no_account(SETTINGS, to=TO),
        mail.password_changed(SETTINGS, to=TO, at=ManualClock().now()),
        mail.usage_alert(
            SETTINGS,
            to=TO,
            app=XSS,
            app_id="app_1",
            what="messages",
            threshold=80,
            used="80 messages",
            limit="100 messages",
            month="January 2026",
            beyond="They stop.",
        ),
        mail.dunning_notice(
            SETTINGS,
            to=TO,
            state="export",
            app=XSS,
            app_id="app_1",
            organization_id="org_1",
            at=ManualClock().now(),
            moves_at=ManualClock().now(),
        ),
        mail.billing_difference(
            SETTINGS,
            to=TO,
            app_id=XSS,
            month="2026-01",
            what="mau meter",
            values=(("ledger", "10"), ("stripe", "9")),
        ),
        mail.invoice_ready(
            SETTINGS,
            to=TO,
            organization=XSS,
            month="January 2026",
            number="N-000001",
            total="1.00 USD",
            path="/organizations/org_1/invoices/inv_1",
        ),
        mail.key_exposed(
            SETTINGS,
            to=TO,
            app=XSS,
            app_id="app_1",
            last_four="abcd",
            where="https://github.com/somebody/something/blob/main/.env",
            revoked=True,
            at=ManualClock().now(),
        ),
        mail.invitation(SETTINGS, to=TO, token="t0ken", organization=XSS, inviter="Grace", role="viewer"),
        mail.security_notice(SETTINGS, to=TO, change="code_used", at=ManualClock().now(), left=3),
        mail.confirm_new_address(SETTINGS, to=TO, token="t0ken"),
        mail.address_changed(SETTINGS, to=TO, after="new@example.com", token="t0ken", at=ManualClock().now()),
        mail.ownership_offered(SETTINGS, to=TO, organization=XSS, organization_id="org_1", offered_by="Grace"),
        mail.organization_notice(
            SETTINGS,
            to=TO,
            change="closed",
            organization=XSS,
            organization_id="org_1",
            by="Grace",
            at=ManualClock().now(),
            until=ManualClock().now(),
        ),
    ]
    return {letter.kind: letter for letter in letters}


class _Words(HTMLParser):
    """What a mail program shows of a document, and where it leads."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self._hidden = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._hidden = tag in ("title", "style", "script")
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words += data.split()


def words_of(html: str) -> _Words:
    parser = _Words()
    parser.feed(html)
    return parser


def test_there_is_a_letter_of_every_kind() -> None:
    assert set(every_letter()) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_both_forms_lead_to_the_same_places_on_the_portal_and_say_whom_they_are_for(kind: str) -> None:
    letter = every_letter()[kind]
    shown = words_of(letter.html)
    in_text = set(re.findall(r"https?://[^\s]+", letter.text))
    assert in_text == set(shown.links)
    assert in_text
    assert all(link.startswith("https://chat.example.com/") and "//" not in link[8:] for link in in_text)
    assert TO in letter.text
    assert TO in " ".join(shown.words)
    assert letter.to == TO


@pytest.mark.parametrize("kind", KINDS)
def test_letters_are_plain_and_calm(kind: str) -> None:
    letter = every_letter()[kind]
    assert "!" not in letter.text
    assert "\n" not in letter.subject
    assert letter.text.startswith(letter.subject + "\n")
    assert not words_of(letter.html).tags & {"script", "img", "form", "link", "iframe"}
    assert max(len(line) for line in letter.text.splitlines() if "://" not in line and XSS not in line) <= 80


def test_what_people_type_is_text_and_nothing_else() -> None:
    letter = every_letter()["invitation"]
    assert "<script" not in letter.html
    assert "49" not in letter.text + letter.html
    assert "".join(XSS.split()) in "".join(words_of(letter.html).words)
    assert XSS in letter.text


async def test_letters_go_out_if_and_only_if_the_change_commits(world: World) -> None:
    with pytest.raises(RuntimeError):
        async with world.change() as ctx:
            mail.post(ctx, every_letter()["no_account"])
            raise RuntimeError
    assert await world.letters() == []
    async with world.change() as ctx:
        mail.post(ctx, every_letter()["no_account"])
    assert await world.letters() == [every_letter()["no_account"]]


async def test_the_outbox_lists_the_newest_first_in_pages(world: World) -> None:
    letters = list(every_letter().values())
    for letter in letters:
        async with world.change() as ctx:
            mail.post(ctx, letter)
    async with world.deps.database.unit_of_work() as uow:
        first = await list_letters(uow.session, world.deps.vault, limit=8)
        second = await list_letters(uow.session, world.deps.vault, limit=8, cursor=first.next_cursor)
        one = await get_letter(uow.session, world.deps.vault, first.items[2].id)
        with pytest.raises(InvalidInput):
            await list_letters(uow.session, world.deps.vault, cursor="x")
    assert [each.letter for each in first.items + second.items] == letters[::-1]
    assert second.next_cursor is None
    assert one == first.items[2]


async def test_letters_are_gone_after_seven_days_and_so_are_spent_links_and_ended_sessions(world: World) -> None:
    await world.person(password=PASSWORD)
    housekeeper = Housekeeper(world.deps, may_erase=last_invoice_made)
    assert set((await housekeeper.sweep()).values()) == {0}

    world.clock.advance(timedelta(days=6, hours=23))
    removed = await housekeeper.sweep()
    assert (removed["mails"], removed["one_time_tokens"], removed["sessions"]) == (0, 0, 1), "idle for three days"
    assert removed["throttles"] > 0
    (letter,) = (await _page(world)).items

    world.clock.advance(timedelta(hours=1))
    assert (await housekeeper.sweep())["mails"] == 1
    world.clock.advance(timedelta(days=1))
    assert (await housekeeper.sweep())["one_time_tokens"] == 1
    with pytest.raises(NotFound):
        async with world.deps.database.unit_of_work() as uow:
            await get_letter(uow.session, world.deps.vault, letter.id)


async def test_the_control_process_sweeps_by_itself(world: World) -> None:
    async with world.change() as ctx:
        mail.post(ctx, every_letter()["no_account"])
    world.clock.advance(timedelta(days=7))
    async with world.serve():
        for _ in range(100):
            if not await world.letters():
                break
            await asyncio.sleep(0.02)
    assert await world.letters() == []


async def _page(world: World):  # type: ignore[no-untyped-def]
    async with world.deps.database.unit_of_work() as uow:
        return await list_letters(uow.session, world.deps.vault)
