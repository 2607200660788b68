"""Passwords: what may be one, and argon2id. The only home of `argon2`."""

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from control_plane.accounts.breached import is_common
from kernel.errors import InvalidInput, Unavailable

MIN_LENGTH: Final = 8
MAX_LENGTH: Final = 128
_MOST_VERIFIED: Final = 200
"""What was a password before the limit was 128 still signs in."""
_AT_ONCE: Final = 2
_MOST_WAITING: Final = 40

_T = TypeVar("_T")


class Passwords:
    """Hashes and verifies, two at a time in threads of its own, so that a rush of sign-ins takes neither the memory nor
    the event loop. The defaults are OWASP's for argon2id; a test passes a lighter one in."""

    def __init__(self, *, memory_kib: int = 19_456, time_cost: int = 2) -> None:
        self._hasher = PasswordHasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=1)
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="argon2")
        self._waiting = 0
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        """`$argon2id$…`. Raises `Unavailable` when too many wait already."""
        return await self._run(self._hasher.hash, _bytes(password))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether the password is the stored hash's. Without one the answer is no, and takes as long."""
        return await self._run(self._verify, stored, _bytes(password))

    def outdated(self, stored: str) -> bool:
        """Whether the hash was made with other parameters than these."""
        return self._hasher.check_needs_rehash(stored)

    def _verify(self, stored: str | None, password: bytes) -> bool:
        if self._nobodys is None:
            self._nobodys = self._hasher.hash(b"nobody's")
        try:
            return self._hasher.verify(stored or self._nobodys, password) and stored is not None
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[..., _T], *arguments: Any) -> _T:
        if self._waiting >= _MOST_WAITING:
            raise Unavailable("Too many people sign in at this moment.", retry_after=2)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        finally:
            self._waiting -= 1


def check_password(password: str, *, email: str = "", name: str = "", field: str = "password") -> None:
    """Raises `InvalidInput` unless it may be a password: 8 to 128 characters of any kind, not what everybody knows of
    its owner, and not among those that everybody tries first.

    There are no rules of composition (NIST SP 800-63B, 3.1.1.2).
    """
    length = len(password)
    if not MIN_LENGTH <= length <= MAX_LENGTH:
        raise InvalidInput(f"`{field}` must be {MIN_LENGTH} to {MAX_LENGTH} characters long.", field=field)
    if any(unicodedata.category(char) == "Cs" for char in password):
        raise InvalidInput(f"`{field}` holds something that is no character.", field=field)
    known = {text.strip().casefold() for text in (email, email.partition("@")[0], name)}
    if password.strip().casefold() in known:
        raise InvalidInput(f"`{field}` must be something else than your name or address.", field=field)
    if is_common(password):
        raise InvalidInput(
            f"`{field}` is one that many people use, so it is among the first that are tried. Choose another.",
            field=field,
        )


def _bytes(password: str) -> bytes:
    """The same bytes for the same characters, whatever keyboard composed them (NIST SP 800-63B, 3.1.1.2)."""
    if len(password) > _MOST_VERIFIED:
        password = ""  # No password is as long; the answer is no, after the same work.
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
