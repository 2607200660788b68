"""What people type: names and e-mail addresses."""

import re
import unicodedata
from typing import Final

from kernel.errors import InvalidInput

_EMAIL: Final = re.compile(r"[^\s@<>(),;:\\\"\[\]]{1,64}@[a-z0-9](?:[a-z0-9.-]{0,252}[a-z0-9])?")


def check_name(text: str, *, field: str) -> str:
    """The name without surrounding space, in normal form C: 1 to 100 characters, none of them a control character."""
    name = unicodedata.normalize("NFC", text).strip()
    if not 1 <= len(name) <= 100 or any(unicodedata.category(char) in ("Cc", "Cs") for char in name):
        raise InvalidInput(f"`{field}` must be 1 to 100 characters without control characters.", field=field)
    return name


def check_email(text: str, *, field: str = "email") -> str:
    """The address in lower case. It is proven by a mail later; this catches what can be no address."""
    email = unicodedata.normalize("NFC", text).strip().lower()
    domain = email.rpartition("@")[2]
    if len(email) > 254 or not _EMAIL.fullmatch(email) or ".." in email or any(ord(char) < 32 for char in email):
        raise InvalidInput(f"`{field}` must be an e-mail address, such as ada@example.com.", field=field)
    if any(label.startswith("-") or label.endswith("-") for label in domain.split(".")):
        raise InvalidInput(f"`{field}` has no valid domain after the @.", field=field)
    return email
