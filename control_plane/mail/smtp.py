"""Delivery by SMTP (RFC 5321), with STARTTLS (RFC 3207) or TLS from the first byte (RFC 8314)."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, parseaddr
from ipaddress import ip_address
from typing import Final, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

import aiosmtplib

from control_plane.mail.outbox import StoredLetter
from control_plane.mail.port import Outcome, Undelivered
from kernel.settings import SettingsError

SECONDS: Final = 20.0
"""How long one command may take."""
_PORTS: Final = {"smtp": 587, "smtps": 465}
_ABOUT_US: Final = (421, 454, 530, 534, 535, 538)
"""Replies about the installation's account and connection, not about the letter (RFC 4954, RFC 3207)."""


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where `NATTER_SMTP_URL` leads. `tls`: `starttls` refuses to go on without, `implicit` begins with it."""

    host: str
    port: int
    username: str | None
    password: str | None = field(repr=False)
    tls: Literal["starttls", "implicit", "off"] = "starttls"
    ca: str | None = None

    @classmethod
    def parse(cls, url: str) -> "SmtpServer":
        """Raises `SettingsError` that says what is wrong, without repeating the URL."""
        try:
            parts = urlsplit(url)
            port = parts.port
            options = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
        except ValueError as error:
            raise _bad("is not a URL") from error
        if parts.scheme not in _PORTS or not parts.hostname:
            raise _bad("must be smtp://user:password@host:587 or smtps://user:password@host:465")
        if parts.path.strip("/") or parts.fragment or not options.keys() <= {"starttls", "ca"}:
            raise _bad("takes `starttls` and `ca` after the `?`, and nothing else after the host")
        starttls = options.get("starttls", "required")
        if starttls not in ("required", "off"):
            raise _bad("has a `starttls` that is neither `required` nor `off`")
        if parts.scheme == "smtps" and "starttls" in options:
            raise _bad("begins with TLS (smtps://), so `starttls` has no place in it")
        if (parts.username is None) != (parts.password is None):
            raise _bad("must name both user and password, or neither")
        server = cls(
            host=parts.hostname,
            port=port or _PORTS[parts.scheme],
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            tls="implicit" if parts.scheme == "smtps" else "starttls" if starttls == "required" else "off",
            ca=options.get("ca"),
        )
        if server.tls == "off" and server.username is not None and not server.is_local:
            raise _bad("would send its password in the clear: take `starttls=off` away")
        return server

    @property
    def is_local(self) -> bool:
        """Whether it is this machine's own."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def shown(self) -> str:
        """For people: without user and password."""
        how = {"starttls": "STARTTLS", "implicit": "TLS", "off": "no TLS"}[self.tls]
        return f"{self.host}:{self.port} ({how})"


def parse_sender(text: str) -> Address:
    """`Name <address>`, or an address alone. Raises `SettingsError`."""
    name, address = parseaddr(text)
    local, _, domain = address.rpartition("@")
    try:
        if not local or not domain or not address.isascii() or any(ord(char) < 32 for char in text):
            raise ValueError
        return Address(name, local, domain)
    except (ValueError, IndexError) as error:
        raise SettingsError("NATTER_MAIL_FROM must be an address such as `Natter <no-reply@example.com>`.") from error


class SmtpMailer:
    """One connection for each letter: an installation writes few, and a connection that is held is one that ends."""

    def __init__(self, server: SmtpServer, sender: Address) -> None:
        self._server = server
        self._sender = sender

    async def deliver(self, stored: StoredLetter) -> Outcome:
        """Returns after the server's 250, from when on it answers for the letter. Raises `Undelivered`."""
        to = stored.letter.to
        try:
            message = compose(stored, self._sender)
        except (ValueError, IndexError) as error:
            raise Undelivered("The letter's address or subject cannot be written in a mail.", permanent=True) from error
        try:
            async with self.connected() as client:
                await client.send_message(message, sender=self._sender.addr_spec, recipients=[to])
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _refused(error.recipients[0], to) from error
        except aiosmtplib.SMTPResponseException as error:
            raise _refused(error, to) from error
        except aiosmtplib.SMTPNotSupported as error:
            raise Undelivered(f"The mail server lacks what is needed: {error.message}") from error
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
            raise Undelivered(f"The mail server cannot be reached: {_words(error)}") from error
        return "sent"

    async def check(self) -> None:
        """Connect, secure and sign in, and send nothing. Raises `Undelivered`."""
        try:
            async with self.connected() as client:
                await client.noop()
        except aiosmtplib.SMTPResponseException as error:
            raise Undelivered(f"{error.code} {error.message}", code=error.code) from error
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise Undelivered(_words(error)) from error

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[aiosmtplib.SMTP]:
        """A client that is secured and signed in."""
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            timeout=SECONDS,
            use_tls=server.tls == "implicit",
            # `True` fails where the server does not offer it; the library's default would go on in the clear.
            start_tls=server.tls == "starttls",
            tls_context=None if server.tls == "off" else ssl.create_default_context(cafile=server.ca),
            username=server.username,
            password=server.password,
            local_hostname=self._sender.domain,
        )
        async with client:
            yield client


def message_id(stored: StoredLetter, sender: Address) -> str:
    """The same each time the letter is sent, so that a mail program shows a double once."""
    return f"<{stored.public_id}@{sender.domain}>"


def compose(stored: StoredLetter, sender: Address) -> EmailMessage:
    """The letter as a mail: text first, then HTML (RFC 2046, `multipart/alternative`: the last is the best)."""
    letter = stored.letter
    message = EmailMessage(policy=SMTP_POLICY)
    message["From"] = sender
    local, _, domain = letter.to.rpartition("@")
    message["To"] = Address("", local, domain)
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(stored.at)
    message["Message-ID"] = message_id(stored, sender)
    # No machine shall answer it (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text, cte="quoted-printable")
    message.add_alternative(letter.html, subtype="html", cte="quoted-printable")
    # Else the library takes a random one, and the letter sent again would be another.
    message.set_boundary(f"=_{stored.public_id}")
    return message


def _words(error: Exception) -> str:
    """What went wrong on the way; none of it is the password."""
    return " ".join(str(error).split())[:300] or type(error).__name__


def _refused(error: aiosmtplib.SMTPResponseException, to: str) -> Undelivered:
    said = " ".join(error.message.replace(to, "the address").split())[:300]
    permanent = 500 <= error.code < 600 and error.code not in _ABOUT_US
    return Undelivered(f"{error.code} {said}", code=error.code, permanent=permanent)


def _bad(what: str) -> SettingsError:
    return SettingsError(f"NATTER_SMTP_URL {what}.")
