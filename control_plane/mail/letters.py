"""The letters that Natter writes: one function each, one pair of templates each."""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final, Literal, get_args

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from kernel.settings import Settings

Kind = Literal[
    "confirm_address", "account_exists", "reset_password", "no_account", "password_changed", "invitation",
    "usage_alert", "invoice_ready",
]  # fmt: skip
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A mail as it will be sent. Both forms say the same."""

    kind: Kind
    to: str
    subject: str
    text: str
    html: str


# Letters that a stranger can have sent to any address hold nothing that he typed: they would carry his message.


def confirm_address(settings: Settings, *, to: str, token: str) -> Letter:
    """To whoever an attempt to sign up names."""
    return _letter("confirm_address", to, "Confirm your address", settings, url=f"{settings.portal}/verify/{token}")


def account_exists(settings: Settings, *, to: str) -> Letter:
    """To an account that somebody tried to sign up again, perhaps its owner."""
    return _letter("account_exists", to, "You have an account already", settings)


def reset_password(settings: Settings, *, to: str, token: str) -> Letter:
    """To an account whose password somebody wants to set anew."""
    return _letter("reset_password", to, "Set a new password", settings, url=f"{settings.portal}/reset/{token}")


def no_account(settings: Settings, *, to: str) -> Letter:
    """To an address that somebody took for an account's."""
    return _letter("no_account", to, "There is no account with this address", settings)


def password_changed(settings: Settings, *, to: str, at: datetime) -> Letter:
    """To an account, so that its owner hears of a change that somebody else made."""
    when = at.astimezone(UTC).strftime("%d %B %Y, %H:%M UTC").lstrip("0")
    return _letter("password_changed", to, "Your password was changed", settings, when=when)


def invitation(settings: Settings, *, to: str, token: str, organization: str, inviter: str, role: str) -> Letter:
    """From a member to whoever shall become one."""
    subject = f"{inviter} invites you to {organization}"
    url = f"{settings.portal}/invitations/{token}"
    return _letter("invitation", to, subject, settings, url=url, organization=organization, inviter=inviter, role=role)


def usage_alert(
    settings: Settings,
    *,
    to: str,
    app: str,
    app_id: str,
    what: str,
    threshold: int,
    used: str,
    limit: str,
    month: str,
    beyond: str,
) -> Letter:
    """To whoever looks after billing. `used` and `limit` with their units; `beyond`: what happens past the limit."""
    subject = f"{app}: {threshold} % of the {what} used"
    url = f"{settings.portal}/apps/{app_id}/spend"
    return _letter(
        "usage_alert", to, subject, settings,
        url=url, app=app, what=what, threshold=str(threshold), used=used, limit=limit, month=month, beyond=beyond,
    )  # fmt: skip


def invoice_ready(
    settings: Settings, *, to: str, organization: str, month: str, number: str, total: str, path: str
) -> Letter:
    """To whoever looks after billing, once an invoice is final."""
    subject = f"Invoice {number} for {month}"
    url = f"{settings.portal}{path}"
    return _letter(
        "invoice_ready", to, subject, settings,
        url=url, organization=organization, month=month, number=number, total=total,
    )  # fmt: skip


def _letter(kind: Kind, to: str, subject: str, settings: Settings, **values: str) -> Letter:
    known = {"subject": subject, "to": to, "portal": settings.portal, **values}
    text = _templates().get_template(f"{kind}.txt").render(known)
    html = _templates().get_template(f"{kind}.html").render(known)
    return Letter(kind=kind, to=to, subject=subject, text=text, html=html)


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
