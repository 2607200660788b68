"""What delivers letters: the port, and the adapter that keeps them here."""

from dataclasses import dataclass
from typing import Literal, Protocol

from control_plane.mail.outbox import StoredLetter

Outcome = Literal["sent", "kept"]


class Undelivered(Exception):
    """The letter did not go out. `permanent`: it will not, however often it is tried.

    `code` is the server's, where one answered. `reason` is for whoever runs the installation; it holds no secret and
    not the letter's address.
    """

    def __init__(self, reason: str, *, code: int | None = None, permanent: bool = False) -> None:
        self.reason = reason
        self.code = code
        self.permanent = permanent
        super().__init__(reason)


class Mailer(Protocol):
    """Hands one letter on.

    `deliver` returns once somebody else answers for the letter (`sent`), or when nobody will (`kept`: the outbox page
    is where it is read). Else it raises `Undelivered`. It may be called again for a letter that went out already, by a
    process that was killed before it could say so: the letter then carries the same Message-ID.
    """

    async def deliver(self, stored: StoredLetter) -> Outcome: ...


@dataclass(frozen=True, slots=True)
class KeptHere:
    """The adapter without a mail server: letters stay on the outbox page."""

    async def deliver(self, stored: StoredLetter) -> Outcome:
        """Nothing is to be done: the row is the letter."""
        return "kept"
