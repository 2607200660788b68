"""What may be a password: NIST SP 800-63B, long enough, of any characters, and not what everybody tries."""

import pytest

from control_plane.accounts import breached
from control_plane.accounts.breached import is_common, pack
from control_plane.accounts.passwords import Passwords, check_password
from kernel.errors import InvalidInput

GOOD = ("fjords of", "a" * 3 + "🦊" * 5, "x" * 7 + "y" * 121, "пароль моей кошки", "        spaces  ")


@pytest.mark.parametrize("password", GOOD)
def test_any_characters_will_do_from_8_to_128(password: str) -> None:
    check_password(password)


@pytest.mark.parametrize(
    "password", ["", "1234567", "x" * 129, "password1234", "PassWord1", "qwertyuiop", "letmein123"]
)
def test_what_is_short_or_common_is_refused_with_a_reason(password: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_password(password, field="new")
    assert caught.value.data["field"] == "new"
    assert caught.value.message.startswith("`new`")


def test_what_everybody_knows_of_its_owner_is_refused() -> None:
    for password in ("Ada.Lovelace@example.com", "ada.lovelace", "ADA LOVELACE"):
        with pytest.raises(InvalidInput):
            check_password(password, email="ada.lovelace@example.com", name="Ada Lovelace")


def test_the_list_is_whole_and_says_no_to_what_is_not_on_it() -> None:
    entries = breached._entries()
    assert len(entries) == 21_648
    assert list(entries) == sorted(set(entries))
    refused = [text for text in (f"{number} different words" for number in range(20_000)) if is_common(text)]
    assert len(refused) <= 2
    assert pack(["b", "A", "a"]) == b"".join(sorted({breached._prefix("a"), breached._prefix("b")}))


async def test_what_was_a_password_under_the_longer_limit_still_signs_in() -> None:
    passwords = Passwords(memory_kib=64, time_cost=1)
    assert await passwords.verify(await passwords.hash("x" * 200), "x" * 200)
