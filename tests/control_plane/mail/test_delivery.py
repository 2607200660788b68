"""Letters reach a real mail server: once it is secured, at least once, and what it refuses is told."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from control_plane import mail
from control_plane.mail.delivery import GIVE_UP_AFTER, LEASE, Courier, mailer_of, wait_before
from control_plane.mail.outbox import StoredLetter, list_letters, send_again
from control_plane.mail.port import KeptHere, Mailer, Outcome
from control_plane.mail.smtp import SmtpServer, parse_sender
from kernel.errors import Conflict
from kernel.settings import Settings, SettingsError
from ops.doctor.mail import check_mail
from tests.control_plane.fixtures import World
from tests.control_plane.mail.post_office import SECRET, PostOffice, open_post_office

FROM = "Natter <no-reply@chat.example.com>"
TO = "ada@example.com"


@pytest.fixture(scope="module")
async def building(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PostOffice]:
    async with open_post_office(tmp_path_factory.mktemp("post")) as office:
        yield office


@pytest.fixture
def office(building: PostOffice) -> PostOffice:
    """It forgets between tests."""
    for each in vars(building).values():
        if isinstance(each, list):
            each.clear()
    return building


def courier(world: World, mailer: Mailer) -> Courier:
    return Courier(world.deps.database, world.deps.vault, world.clock, mailer)


def by_smtp(world: World, url: str) -> Courier:
    return courier(world, mailer_of(Settings(smtp_url=url, mail_from=FROM)))


async def post(world: World, to: str = TO) -> None:
    async with world.change() as ctx:
        mail.post(ctx, mail.reset_password(ctx.settings, to=to, token="s3cret-t0ken"))


async def stored(world: World) -> StoredLetter:
    async with world.deps.database.unit_of_work() as uow:
        return (await list_letters(uow.session, world.deps.vault)).items[0]


async def test_a_letter_goes_out_secured_signed_in_and_in_both_forms(world: World, office: PostOffice) -> None:
    await post(world)
    with capture_logs() as logs:
        assert await by_smtp(world, office.url).deliver_next()
    letter = await stored(world)
    assert (letter.state, letter.attempts, letter.delivered_at) == ("sent", 1, world.clock.now())
    (message,) = office.received
    assert office.envelopes == [("no-reply@chat.example.com", [TO])]
    assert office.sign_ins == ["natter"]
    assert message.get_content_type() == "multipart/alternative"
    text, html = message.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert text.get_content().replace("\r\n", "\n") == letter.letter.text
    assert html.get_content().replace("\r\n", "\n") == letter.letter.html
    assert (message["from"], message["to"], message["subject"]) == (FROM, TO, letter.letter.subject)
    assert message["message-id"] == f"<{letter.public_id}@chat.example.com>"
    assert message["auto-submitted"] == "auto-generated"
    assert not any(secret in json.dumps(logs) for secret in (SECRET, "s3cret-t0ken", TO))
    assert not await by_smtp(world, office.url).deliver_next(), "it is sent once"


class Killed(BaseException):
    """The process ends here."""


class KilledAfterwards:
    """The server has said 250; nobody has noted it."""

    def __init__(self, mailer: Mailer) -> None:
        self._mailer = mailer

    async def deliver(self, stored: StoredLetter) -> Outcome:
        await self._mailer.deliver(stored)
        raise Killed


async def test_a_kill_after_the_250_sends_the_letter_again_and_recognisably(world: World, office: PostOffice) -> None:
    await post(world)
    mailer = mailer_of(Settings(smtp_url=office.url, mail_from=FROM))
    with pytest.raises(Killed):
        await courier(world, KilledAfterwards(mailer)).deliver_next()
    assert not await courier(world, mailer).deliver_next(), "it is leased"
    world.clock.advance(LEASE)
    assert await courier(world, mailer).deliver_next()
    first, again = office.received
    assert first.as_bytes() == again.as_bytes()
    assert first["message-id"] == again["message-id"]
    assert (await stored(world)).state == "sent"


async def test_what_the_server_will_never_take_is_recorded_and_not_tried_again(
    world: World, office: PostOffice
) -> None:
    await post(world)
    office.said_to_recipient.append(f"550 5.1.1 <{TO}> nobody here")
    await by_smtp(world, office.url).deliver_next()
    letter = await stored(world)
    assert (letter.state, letter.reply) == ("failed", "550 5.1.1 <the address> nobody here")
    world.clock.advance(timedelta(hours=2))
    assert not await by_smtp(world, office.url).deliver_next()


async def test_what_it_does_not_take_now_is_tried_again_with_growing_waits_for_a_day(
    world: World, office: PostOffice
) -> None:
    await post(world)
    office.said_to_recipient.extend(["451 4.7.1 later"] * 100)
    begun, tries = world.clock.now(), 0
    while (letter := await stored(world)).state == "waiting":
        assert letter.due_at is not None
        world.clock.advance(letter.due_at - world.clock.now())
        assert await by_smtp(world, office.url).deliver_next()
        tries += 1
        assert not await by_smtp(world, office.url).deliver_next(), "not before its time"
    assert "451" in (letter.reply or "")
    assert letter.state == "failed"
    assert timedelta(hours=22) < world.clock.now() - begun < GIVE_UP_AFTER
    assert tries < 40
    assert [wait_before(n).total_seconds() for n in (1, 2, 3, 99)] == [10, 20, 40, 3600]
    # Somebody has mended what was wrong: it has another day, and goes out once.
    async with world.change() as ctx:
        await send_again(ctx, letter.id)
    assert await by_smtp(world, office.url).deliver_next()
    assert (await stored(world)).state == "waiting", "one more try is not the end"
    office.said_to_recipient.clear()
    world.clock.advance(timedelta(seconds=10))
    assert await by_smtp(world, office.url).deliver_next()
    assert [(await stored(world)).state, len(office.received)] == ["sent", 1]
    with pytest.raises(Conflict):
        async with world.change() as ctx:
            await send_again(ctx, letter.id)


async def test_a_wrong_password_is_ours_to_mend_and_not_the_letters_end(world: World, office: PostOffice) -> None:
    await post(world)
    wrong = office.url.replace("natter:", "natter:not-")
    await by_smtp(world, wrong).deliver_next()
    assert ((await stored(world)).state, office.received) == ("waiting", [])
    world.clock.advance(timedelta(seconds=10))
    await by_smtp(world, office.url).deliver_next()
    assert (await stored(world)).state == "sent"


async def test_nothing_is_said_to_a_server_that_cannot_be_trusted(
    world: World, office: PostOffice, tmp_path: Path
) -> None:
    await post(world)
    await by_smtp(world, office.url.partition("?")[0]).deliver_next()
    assert "certificate verify failed" in ((await stored(world)).reply or "")
    async with open_post_office(tmp_path, tls=False) as bare:
        world.clock.advance(timedelta(hours=1))
        # Its certificate is known, and it offers no STARTTLS: as to who stands in the middle and takes it away.
        await by_smtp(world, bare.url).deliver_next()
        assert (bare.received, bare.sign_ins) == ([], [])
        assert (await stored(world)).state == "waiting"
        world.clock.advance(timedelta(hours=1))
        await by_smtp(world, f"smtp://127.0.0.1:{bare.port}?starttls=off").deliver_next()
        assert len(bare.received) == 1, "unless the machine's own relay is told to be spoken to in the clear"
    assert (office.received, office.sign_ins) == ([], [])


async def test_couriers_of_several_processes_share_the_letters(world: World, second: World, office: PostOffice) -> None:
    for number in range(6):
        await post(world, f"somebody{number}@example.com")
    both = [by_smtp(each, office.url) for each in (world, second)]

    async def work(one: Courier) -> None:
        while await one.deliver_next():
            pass

    await asyncio.gather(*map(work, both))
    assert sorted(to for _, (to,) in office.envelopes) == [f"somebody{number}@example.com" for number in range(6)]


async def test_without_a_server_letters_are_kept_here(world: World) -> None:
    await post(world)
    mailer = mailer_of(Settings())
    assert isinstance(mailer, KeptHere)
    assert await courier(world, mailer).deliver_next()
    assert (await stored(world)).state == "kept"
    assert not await courier(world, mailer).deliver_next()


async def test_an_address_that_no_mail_can_carry_fails_at_once(world: World, office: PostOffice) -> None:
    await post(world, "a b@example.com\r\nBcc: all@example.com")
    await by_smtp(world, office.url).deliver_next()
    assert ((await stored(world)).state, office.received) == ("failed", [])


async def test_the_doctor_knows_whether_it_would_be_let_in(office: PostOffice) -> None:
    finding = await check_mail(Settings(smtp_url=office.url, mail_from=FROM))
    assert finding.status == "good", finding
    wrong = await check_mail(Settings(smtp_url=office.url.replace("natter:", "natter:not-"), mail_from=FROM))
    assert wrong.status == "bad"
    assert "535" in wrong.detail
    away = await check_mail(Settings(smtp_url="smtp://u:hidden@127.0.0.1:1", mail_from=FROM))
    assert away.status == "bad"
    assert "hidden" not in f"{away} {wrong}"
    assert (await check_mail(Settings())).status == "good"
    assert (await check_mail(Settings(environment="production"))).status == "warning"
    assert office.received == []


@pytest.mark.parametrize(
    "url",
    [
        "http://mail.example.com",
        "smtp://",
        "smtp://mail.example.com:port",
        "smtp://u@mail.example.com",
        "smtp://mail.example.com/inbox",
        "smtp://mail.example.com?starttls=maybe",
        "smtp://mail.example.com?verify=off",
        "smtp://u:hidden@mail.example.com?starttls=off",
        "smtps://u:hidden@mail.example.com?starttls=required",
    ],
)
def test_a_url_that_makes_no_sense_or_gives_the_password_away_is_refused(url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        SmtpServer.parse(url)
    assert "hidden" not in str(refused.value)


def test_urls_say_how_to_connect() -> None:
    server = SmtpServer.parse("smtp://u:p%40ss@mail.example.com?starttls=required")
    assert (server.port, server.tls, server.password) == (587, "starttls", "p@ss")
    assert "p@ss" not in repr(server) + server.shown
    assert SmtpServer.parse("smtps://mail.example.com").port == 465
    assert parse_sender(FROM).addr_spec == "no-reply@chat.example.com"
    for wrong in ("", "Natter", "a@b\r\nBcc: c@d", "<@x>"):
        with pytest.raises(SettingsError):
            parse_sender(wrong)
