"""Keys derived from the installation's master key, and encryption at rest with them."""

import base64
import binascii
import os
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kernel.settings import SettingsError


class Vault:
    """Derives one key per purpose (HKDF-SHA256) and seals small secrets with AES-256-GCM.

    The purpose is bound into the key, so that what was sealed for one use cannot be opened for another.
    """

    def __init__(self, master_key: str) -> None:
        try:
            key = base64.b64decode(master_key, validate=True)
        except binascii.Error as error:
            raise SettingsError("NATTER_MASTER_KEY must be base64.") from error
        if len(key) < 32:
            raise SettingsError("NATTER_MASTER_KEY must hold at least 32 bytes: openssl rand -base64 32")
        self._master = key
        self._keys: dict[str, bytes] = {}

    @staticmethod
    def generate_master_key() -> str:
        """A fresh master key in the form the setting wants."""
        return base64.b64encode(os.urandom(32)).decode()

    def key(self, purpose: str) -> bytes:
        """32 bytes for one purpose; the same in every process of the installation."""
        if purpose not in self._keys:
            hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"natter/{purpose}".encode())
            self._keys[purpose] = hkdf.derive(self._master)
        return self._keys[purpose]

    def seal(self, purpose: str, secret: bytes, *, context: bytes = b"") -> bytes:
        """Encrypt. `context` (an owner's id, say) must be given again to open."""
        nonce = os.urandom(12)
        return b"\x01" + nonce + AESGCM(self.key(purpose)).encrypt(nonce, secret, context)

    def open(self, purpose: str, sealed: bytes, *, context: bytes = b"") -> bytes:
        """Decrypt. Raises `ValueError` when the bytes, the purpose or the context do not fit."""
        if sealed[:1] != b"\x01":
            raise ValueError("unknown form of sealed secret")
        try:
            return AESGCM(self.key(purpose)).decrypt(sealed[1:13], sealed[13:], context)
        except InvalidTag as error:
            raise ValueError("the sealed secret does not open") from error


def short_hash(*parts: str) -> str:
    """32 hex characters of SHA-256 over the parts: a stand-in that names nobody."""
    return sha256("\x00".join(parts).encode()).hexdigest()[:32]
