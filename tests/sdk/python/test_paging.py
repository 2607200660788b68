"""Iterators give everything once, in order, also while things come in between."""

from typing import Any

import pytest

from natter import AsyncNatter
from tests.clients.installation import Tenant


async def test_history_is_whole_in_both_directions(either: Any, tenant: Tenant) -> None:
    await tenant.channel("general", "ada")
    ada = either.for_user("ada")
    for number in range(7):
        await ada.messages.send("general", text=str(number))
    forth = [message.text async for message in either.messages.iter("general", page_size=3)]
    back = [message.text async for message in either.messages.iter_back("general", page_size=3)]
    assert forth == [str(number) for number in range(7)]
    assert back == forth[::-1]
    third = (await either.messages.list("general")).messages[2]
    assert [m.text async for m in either.messages.iter("general", after=third.id)] == ["3", "4", "5", "6"]
    assert [m.text async for m in either.messages.iter_back("general", before=third.seq)] == ["1", "0"]
    for number in range(3):
        await ada.messages.send("general", text=f"reply {number}", thread_id=third.id)
    replies = [message.text async for message in either.threads.iter_replies(third.id, page_size=2)]
    assert replies == ["reply 0", "reply 1", "reply 2"]
    assert [message.text async for message in either.threads.iter_replies_back(third.id, page_size=2)] == replies[::-1]


async def test_what_is_said_meanwhile_is_neither_skipped_nor_repeated(natter: AsyncNatter, tenant: Tenant) -> None:
    await tenant.channel("general", "ada")
    ada = natter.for_user("ada")
    for number in range(4):
        await ada.messages.send("general", text=str(number))
    forth = []
    async for message in natter.messages.iter("general", page_size=2):
        forth.append(message.text)
        if len(forth) < 6:
            await ada.messages.send("general", text=f"after {message.text}")
    assert forth[:4] == ["0", "1", "2", "3"]
    assert len(forth) == len(set(forth)) == 9

    back = []
    async for message in natter.messages.iter_back("general", page_size=2):
        back.append(message.text)
        await ada.messages.send("general", text=f"while at {message.text}")
    assert back == forth[::-1], "what comes after the newest is not before it"


async def test_lists_are_whole_while_rows_are_inserted(natter: AsyncNatter, tenant: Tenant) -> None:
    await tenant.channel("general", "m2", "m4", "m6")
    seen = []
    async for member in natter.members.iter("general", page_size=1):
        seen.append(member.user_id)
        if member.user_id == "m2":  # one before where the list is, and one after
            await natter.users.upsert([{"id": "m1"}, {"id": "m5"}])
            await natter.members.add("general", user_ids=["m1", "m5"])
    assert seen == ["m2", "m4", "m5", "m6"]


async def test_every_list_has_an_iterator(either: Any, tenant: Tenant) -> None:
    await tenant.channel("general", "ada", "grace")
    await tenant.channel("other", "ada", "grace")
    first = await either.for_user("grace").messages.send("general", text="Hello", mentions={"users": ["ada"]})
    await either.for_user("grace").messages.send("other", text="Hello")
    await either.for_user("ada").reactions.add(first.id, "👍")
    await either.for_user("grace").reactions.add(first.id, "👍")
    await either.for_user("grace").messages.edit(first.id, text="Hello, Ada")
    await either.for_user("ada").messages.send("general", text="Yes?", thread_id=first.id)

    async def all_of(items: Any, name: str) -> list[Any]:
        return [getattr(item, name, item) async for item in items]

    assert await all_of(either.channels.iter(page_size=1), "id") == ["general", "other"]
    assert await all_of(either.channels.iter_query(filter={"type": "group"}, sort=["id"], page_size=1), "id") == [
        "general",
        "other",
    ]
    assert await all_of(either.members.iter_query("general", filter={}, page_size=1), "user_id") == ["ada", "grace"]
    assert await all_of(either.users.iter_query(filter={}, sort=["id"], page_size=1), "id") == ["ada", "grace"]
    assert await all_of(either.reactions.iter(first.id, page_size=1), "user_id") == ["ada", "grace"]
    assert await all_of(either.messages.iter_versions(first.id, page_size=1), "text") == ["Hello"]
    assert await all_of(either.receipts.iter("general", page_size=1), "user_id") == ["ada", "grace"]
    assert await all_of(either.for_user("ada").unread.iter_channels(page_size=1), "channel_id") == ["general", "other"]
    assert await all_of(either.for_user("grace").threads.iter(page_size=1), "channel_id") == ["general"]
    await either.users.upsert([{"id": "bo"}, {"id": "cy"}])
    await either.invites.create("general", user_ids=["bo", "cy"])
    assert await all_of(either.invites.iter_of_channel("general", page_size=1), "user_id") == ["bo", "cy"]
    assert await all_of(either.for_user("bo").invites.iter(page_size=1), "user_id") == ["bo"]
    await either.for_user("ada").channels.mark_read("general")
    assert await all_of(either.receipts.iter_readers(first.id, page_size=1), "user_id") == ["ada"]
    assert await all_of(either.presence.iter_watchers("general", page_size=1), "user_id") == []


async def test_a_page_that_fails_ends_the_iteration_with_its_error(either: Any, tenant: Tenant) -> None:
    with pytest.raises(Exception, match="There is no such channel"):
        async for _ in either.messages.iter("nowhere"):
            pass
