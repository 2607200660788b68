"""A real mail server on a real socket: STARTTLS and AUTH are required, and it answers as a test wishes."""

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

USER, SECRET = "natter", "pa:ss/w@rd %"
IN_URL = "natter:pa%3Ass%2Fw%40rd%20%25"


@dataclass
class PostOffice:
    """`said` is what it answers to the next recipients or data; empty, it takes everything."""

    port: int = 0
    ca: str = ""
    received: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)
    sign_ins: list[str] = field(default_factory=list)
    said_to_recipient: list[str] = field(default_factory=list)
    said_to_data: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """As `NATTER_SMTP_URL`."""
        return f"smtp://{IN_URL}@127.0.0.1:{self.port}?ca={self.ca}"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        self.sign_ins.append(data.login.decode())
        good = (data.login, data.password) == (USER.encode(), SECRET.encode())
        # A failure that says it was handled leaves the client waiting for an answer.
        return AuthResult(success=good, handled=good)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, to: str, options: Any) -> str:
        if self.said_to_recipient:
            return self.said_to_recipient.pop(0)
        envelope.rcpt_tos.append(to)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.said_to_data:
            return self.said_to_data.pop(0)
        message = message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        self.received.append(message)
        self.envelopes.append((envelope.mail_from, envelope.rcpt_tos))
        return "250 taken"


@asynccontextmanager
async def open_post_office(folder: Path, *, tls: bool = True) -> AsyncIterator[PostOffice]:
    """Open for the length of the block. Without `tls` it offers no STARTTLS and asks nobody who he is."""
    office = PostOffice()
    certificate, office.ca = make_certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def protocol() -> SMTP:
        wants: dict[str, Any] = {"require_starttls": True, "auth_required": True, "authenticator": office.authenticate}
        options = wants | {"tls_context": context} if tls else {}
        return SMTP(office, enable_SMTPUTF8=True, loop=asyncio.get_running_loop(), **options)

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    office.port = server.sockets[0].getsockname()[1]
    try:
        yield office
    finally:
        server.close()
        await server.wait_closed()


def make_certificate(folder: Path) -> tuple[str, str]:
    """A key with its certificate, and the certificate alone; both as files."""
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "post office of a test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM)
    both, alone = folder / "server.pem", folder / "ca.pem"
    both.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + pem)
    alone.write_bytes(pem)
    return str(both), str(alone)
