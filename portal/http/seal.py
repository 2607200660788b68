"""Small signed values that a browser keeps or sends back."""

import base64
import binascii
import hmac
from hashlib import sha256

from kernel.security.vault import Vault


def sign(vault: Vault, purpose: str, *parts: str) -> str:
    """64 hex characters that only this installation can make of these parts for this purpose."""
    text = "\x00".join(parts).encode("utf-8", "surrogatepass")
    return hmac.new(vault.key(purpose), text, sha256).hexdigest()


def signed_by_us(vault: Vault, purpose: str, signature: str, *parts: str) -> bool:
    """Whether `sign` made that signature; takes the same time for every wrong one."""
    return signature.isascii() and hmac.compare_digest(signature, sign(vault, purpose, *parts))


def wrap(vault: Vault, purpose: str, content: bytes) -> str:
    """Content and signature in characters that a cookie may hold."""
    text = base64.urlsafe_b64encode(content).rstrip(b"=").decode()
    return f"{text}.{sign(vault, purpose, text)}"


def unwrap(vault: Vault, purpose: str, value: str) -> bytes | None:
    """What `wrap` was given, or `None` for what it never made."""
    text, _, signature = value.partition(".")
    if not text.isascii() or not signed_by_us(vault, purpose, signature, text):
        return None
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        return None
