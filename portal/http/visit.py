"""One request of a browser: who it comes from, and what goes back beside the page."""

import re
import secrets
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection

from control_plane.accounts.client import Client
from control_plane.accounts.person import Person
from control_plane.accounts.sessions import NewSession, SignedIn
from control_plane.accounts.step_up import is_confirmed
from control_plane.context import Deps
from kernel.errors import Forbidden, InvalidInput, NatterError
from kernel.ids import decode, encode
from portal.http import cookies, seal
from portal.http.cookies import DAY, Jar
from portal.http.navigation import Navigation

Theme = Literal["light", "dark", "system"]
Tone = Literal["good", "danger"]
Despite = Literal["closed", "two-step"]
_VISITOR: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_STATE: Final = "visit"


class ConfirmationNeeded(Forbidden):
    """Signed in, but too long ago for what was asked; `wrong` is what is not right with a try to confirm it."""

    code = "confirmation_needed"
    title = "Confirm that it is you"

    def __init__(self, wrong: NatterError | None = None) -> None:
        super().__init__("You signed in a while ago. Confirm that it is you, then this goes on.")
        self.wrong = wrong


class Flash(msgspec.Struct, frozen=True):
    """A word about what was just done, shown once on the next page."""

    text: str
    tone: Tone = "good"


@dataclass(slots=True)
class Visit:
    """Made by the guard of the portal's router; ask for it as the dependency `visit`."""

    deps: Deps
    jar: Jar
    client: Client
    path: str
    fragment: bool
    """htmx asks for a part of a page; `False` for whole pages, boosted links included."""
    boosted: bool
    """htmx asks for a whole page and puts it into the one that is open."""
    signed_in: SignedIn | None = None
    owner: SignedIn | None = None
    """The machine owner's session, which opens the outbox."""
    open_anyway: frozenset[Despite] = frozenset()
    """What the page of an organization is there in spite of, see `guard.open_anyway`."""
    sent: tuple[tuple[str, str], ...] = ()
    """The fields of the form that was sent, so that it can be sent again once its sender has confirmed who he is."""
    navigation: Navigation | None = None
    _flash: Flash | None = None
    _binding: str | None = field(default=None, repr=False)

    @property
    def person(self) -> Person | None:
        """Who is signed in."""
        return self.signed_in.person if self.signed_in else None

    @property
    def request_id(self) -> str:
        """Finds the request in the logs."""
        return self.client.request_id or ""

    @property
    def theme(self) -> Theme:
        """What the visitor chose; `system` follows the machine."""
        chosen = self.jar.get(cookies.THEME)
        return "light" if chosen == "light" else "dark" if chosen == "dark" else "system"

    # -- forms ---------------------------------------------------------------------------------------------------------

    @property
    def csrf_token(self) -> str:
        """What every form of this visitor must carry."""
        return seal.sign(self.deps.vault, "csrf", self.binding)

    @property
    def binding(self) -> str:
        """What this browser's forms are bound to: its session, which has several tokens in its life but one id, or a
        stranger's random value, made now if need be. It takes the installation's key to make a form's token of it."""
        if self._binding is None:
            self._binding = self._find_binding()
        return self._binding

    def _find_binding(self) -> str:
        if self.signed_in:
            return f"session {self.signed_in.session_id}"
        if self.owner:
            return f"owner {self.owner.session_id}"
        visitor = self.jar.get(cookies.VISITOR)
        if not _VISITOR.fullmatch(visitor):
            visitor = secrets.token_urlsafe(32)
            self.jar.set(cookies.VISITOR, visitor, max_age=30 * DAY)
        return f"visitor {visitor}"

    # -- who it is, once more ------------------------------------------------------------------------------------------

    def require_confirmed(self) -> None:
        """Raises `ConfirmationNeeded` unless whoever is signed in has proven it in the last ten minutes."""
        if self.signed_in is None or not is_confirmed(self.signed_in, self.deps.clock.now()):
            raise ConfirmationNeeded()

    def keep_confirmed(self, session: NewSession) -> None:
        """The session was confirmed just now: this browser gets its new token."""
        assert self.signed_in is not None
        now = self.deps.clock.now()
        self.signed_in = replace(self.signed_in, confirmed_at=now)
        self.jar.set(cookies.SESSION, session.token, max_age=round((session.expires_at - now).total_seconds()))

    # -- ids of what forms create --------------------------------------------------------------------------------------

    def new_id(self) -> str:
        """A fresh id for what a form will create; the same form sent twice carries the same id.

        Good in the organization or app whose page this is and nowhere else, where the same id would be somebody's.
        """
        text = encode(self.deps.ids.uuid7())
        return f"{text}.{self._seal_of(text)}"

    def take_id(self, sent: str) -> UUID:
        """The id that `new_id` gave to this very browser. Raises `InvalidInput` for any other."""
        text, _, signature = sent.partition(".")
        if not seal.signed_by_us(self.deps.vault, "new-id", signature, self.binding, self._place, text):
            raise InvalidInput("This form is not one that Natter gave to you. Reload the page and send it again.")
        return decode(text)

    def _seal_of(self, text: str) -> str:
        return seal.sign(self.deps.vault, "new-id", self.binding, self._place, text)

    @property
    def _place(self) -> str:
        if self.navigation is None or self.navigation.member is None:
            return ""
        return str(self.navigation.app.id if self.navigation.app else self.navigation.member.organization_id)

    # -- a word for the next page --------------------------------------------------------------------------------------

    def flash(self, text: str, tone: Tone = "good") -> None:
        """Say something on the next page: after a redirect, or on the page that answers this request."""
        self._flash = Flash(text, tone)
        value = seal.wrap(self.deps.vault, "flash", msgspec.json.encode(self._flash))
        self.jar.set(cookies.FLASH, value, max_age=60)

    def take_flash(self) -> Flash | None:
        """What is to be said; it will not be said again."""
        flash = self._flash or self._received_flash()
        self.jar.delete(cookies.FLASH)
        return flash

    def _received_flash(self) -> Flash | None:
        if not (value := self.jar.get(cookies.FLASH)):
            return None
        content = seal.unwrap(self.deps.vault, "flash", value)
        return msgspec.json.decode(content, type=Flash) if content is not None else None


def open_visit(connection: ASGIConnection[Any, Any, Any, Any], deps: Deps) -> Visit:
    """The visit of a request; the same object each time it is asked for. Nobody is signed in yet."""
    state = connection.scope["state"]
    if _STATE not in state:
        headers = connection.headers
        htmx = headers.get("hx-request") == "true"
        # Where Back finds nothing in memory, htmx asks for the whole page.
        whole = headers.get("hx-boosted") == "true" or headers.get("hx-history-restore-request") == "true"
        state[_STATE] = Visit(
            deps=deps,
            jar=Jar(dict(connection.cookies), https=deps.settings.portal.startswith("https:")),
            client=Client(
                ip=connection.client.host if connection.client else "",
                user_agent=headers.get("user-agent", ""),
                request_id=state.get("request_id"),
            ),
            path=connection.scope["path"],
            fragment=htmx and not whole,
            boosted=htmx and whole,
        )
    visit: Visit = state[_STATE]
    return visit


def visit_of(request: Request[Any, Any, Any]) -> Visit:
    """The visit of a request that passed the guard."""
    visit: Visit = request.scope["state"][_STATE]
    return visit
