"""What the forms about keys hold."""

from datetime import datetime, timedelta
from typing import Annotated, Final

import msgspec

from kernel.errors import InvalidInput
from portal.http.forms import Field, Form

LIFETIMES: Final = {
    "": ("No end", None),
    "7": ("In 7 days", timedelta(days=7)),
    "30": ("In 30 days", timedelta(days=30)),
    "90": ("In 90 days", timedelta(days=90)),
    "365": ("In a year", timedelta(days=365)),
}
OVERLAPS: Final = {
    "0": ("At once", timedelta()),
    "1h": ("After 1 hour", timedelta(hours=1)),
    "24h": ("After 24 hours", timedelta(hours=24)),
    "7d": ("After 7 days", timedelta(days=7)),
    "30d": ("After 30 days", timedelta(days=30)),
}
SCOPES: Final = {
    "messages": "Send, read, edit and delete messages, mark read",
    "channels": "Create, change and delete channels, manage their members",
    "users": "Create and change users",
    "grants": "Define channel types, roles, and what they may do",
    "tokens": "Make tokens for users, and revoke them",
}
"""What a secret key can be limited to, as nodes check it."""


class NewKeyForm(Form, frozen=True, kw_only=True):
    """A secret key: everything or some scopes, for ever or for a time."""

    new_id: Annotated[str, Field("Form")] = ""
    access: Annotated[str, Field("Access")] = "all"
    scopes: Annotated[list[str], Field("Scopes")] = msgspec.field(default_factory=list)
    lifetime: Annotated[str, Field("End")] = ""

    def chosen_scopes(self) -> list[str]:
        """Raises `InvalidInput` that names `scopes`."""
        if self.access != "some":
            return ["*"]
        if not self.scopes or not set(self.scopes) <= set(SCOPES):
            raise InvalidInput("Choose at least one.", field="scopes")
        return self.scopes

    def expires_at(self, now: datetime) -> datetime | None:
        """Raises `InvalidInput` that names `lifetime`."""
        if self.lifetime not in LIFETIMES:
            raise InvalidInput("Choose one of the list.", field="lifetime")
        lifetime = LIFETIMES[self.lifetime][1]
        return now + lifetime if lifetime is not None else None


class PublishableKeyForm(Form, frozen=True, kw_only=True):
    """Nothing but the id of the key to be."""

    new_id: Annotated[str, Field("Form")] = ""


class RollForm(Form, frozen=True, kw_only=True):
    """When the old key ends."""

    new_id: Annotated[str, Field("Form")] = ""
    overlap: Annotated[str, Field("End of the old key")] = "24h"

    def chosen_overlap(self) -> timedelta:
        """Raises `InvalidInput` that names `overlap`."""
        if self.overlap not in OVERLAPS:
            raise InvalidInput("Choose one of the list.", field="overlap")
        return OVERLAPS[self.overlap][1]


class RevokeForm(Form, frozen=True, kw_only=True):
    """The last four characters of the key, so that nobody revokes the one beside it."""

    last_four: Annotated[str, Field("Last four characters", blank="Type the last four characters of the key.")] = ""
    confirm: Annotated[str, Field("Name of the app")] = ""

    def check_against(self, last_four: str) -> None:
        """Raises `InvalidInput` that names `last_four`."""
        if self.last_four.strip() != last_four:
            raise InvalidInput("These are not the last four characters of this key.", field="last_four")


class PublicKeyForm(Form, frozen=True, kw_only=True):
    """Public keys, pasted or at an address."""

    new_id: Annotated[str, Field("Form")] = ""
    public_key: Annotated[str, Field("The public key")] = ""
    jwks_url: Annotated[str, Field("Address")] = ""
    kid: Annotated[str, Field("Name (kid)")] = ""

    def check_source(self) -> None:
        """Raises `InvalidInput` that names `public_key` unless there is one source."""
        if bool(self.public_key.strip()) == bool(self.jwks_url.strip()):
            raise InvalidInput("Paste a key, or give an address: one of both.", field="public_key")


class SigningSecretForm(Form, frozen=True, kw_only=True):
    """Nothing but the id of the secret to be."""

    new_id: Annotated[str, Field("Form")] = ""


class LeaveKeySetForm(Form, frozen=True, kw_only=True):
    """One button."""


class RevokeSigningForm(Form, frozen=True, kw_only=True):
    """The end of the key's name, so that nobody revokes the one beside it."""

    last_four: Annotated[str, Field("Last four characters", blank="Type the last four characters of its name.")] = ""

    def check_against(self, kid: str) -> None:
        """Raises `InvalidInput` that names `last_four`."""
        if self.last_four.strip() != kid[-4:]:
            raise InvalidInput("These are not the last four characters of its name.", field="last_four")
