"""The portal's cookies: their names, and those that an answer sets."""

from typing import Final

SESSION: Final = "natter_session"
"""Somebody is signed in."""
OWNER: Final = "natter_owner"
"""The machine's owner has opened the outbox; apart from `SESSION`, so that doing so signs nobody out."""
VISITOR: Final = "natter_visitor"
"""A random value for who is not signed in: what a form's token is bound to then."""
SIGN_UP: Final = "natter_signup"
FLASH: Final = "natter_flash"
SECOND_STEP: Final = "natter_second"
"""The password was right, the code is still to come."""
NEXT: Final = "natter_next"
"""Where to go once an address is confirmed: the way from an invitation through the mailbox and back."""
LAST: Final = "natter_last"
"""The organization that was looked at last."""
THEME: Final = "theme"

DAY: Final = 86_400


class Jar:
    """Reads a request's cookies and gathers those of its answer.

    Over https the names carry `__Host-`: no other host and no plain connection can set them.
    """

    def __init__(self, received: dict[str, str], *, https: bool) -> None:
        self._received = received
        self._https = https
        self._to_set: dict[str, str] = {}

    def get(self, name: str) -> str:
        """The value that came with the request, or nothing."""
        return self._received.get(self._full(name), "")

    def set(self, name: str, value: str, *, max_age: int, readable: bool = False) -> None:
        """Set a cookie for the whole portal. `readable`: by scripts too."""
        parts = [f"{self._full(name)}={value}", "Path=/", "SameSite=Lax", f"Max-Age={max_age}"]
        if not readable:
            parts.append("HttpOnly")
        if self._https:
            parts.append("Secure")
        self._to_set[name] = "; ".join(parts)

    def delete(self, name: str) -> None:
        """Have the browser forget a cookie, if it sent it."""
        if self.get(name) or name in self._to_set:
            self.set(name, "", max_age=0)

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The `Set-Cookie` headers of the answer."""
        return [(b"set-cookie", line.encode("latin-1")) for line in self._to_set.values()]

    def _full(self, name: str) -> str:
        return f"__Host-{name}" if self._https else name
