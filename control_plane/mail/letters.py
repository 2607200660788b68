"""The letters that Natter writes: one function each, one pair of templates each."""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final, Literal, get_args

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from kernel.settings import Settings

Kind = Literal[
    "confirm_address",
    "account_exists",
    "reset_password",
    "no_account",
    "password_changed",
    "invitation",
    "security_notice",
    "confirm_new_address",
    "address_changed",
    "ownership_offered",
    "organization_notice",
    "usage_alert",
    "invoice_ready",
    "key_exposed",
    "dunning_notice",
    "billing_difference",
]
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
    return _letter("password_changed", to, "Your password was changed", settings, when=_when(at))


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


def billing_difference(
    settings: Settings, *, to: str, app_id: str, month: str, what: str, values: tuple[tuple[str, str], ...]
) -> Letter:
    """To staff, when usage, the payment service and an invoice say different things. `values`: who says how much."""
    subject = f"Billing does not add up: {app_id}, {month}"
    said = "; ".join(f"{name}: {value}" for name, value in values)
    url = f"{settings.portal}/staff/webhooks"
    return _letter("billing_difference", to, subject, settings, url=url, app=app_id, month=month, what=what, said=said)


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


def key_exposed(
    settings: Settings,
    *,
    to: str,
    app: str,
    app_id: str,
    last_four: str,
    where: str | None,
    revoked: bool,
    at: datetime,
) -> Letter:
    """To whoever manages the keys of an app one of which was found in public. `where`: only what a scanner that we
    trust said, without an address's scheme, so that nothing in the letter leads there."""
    done = (
        "We revoked it: nodes refuse it from now on. Your servers that use it need another one."
        if revoked
        else "It still works, as this app is set to tell you only. Whoever found it can use it."
    )
    advice = (
        "Create a key and put it where your servers read it. Remove the old one from where it was."
        if revoked
        else "Roll it, with no overlap, as soon as you can. Remove the old one from where it was."
    )
    found = "found in public by GitHub" if where is not None else "reported to us by somebody who holds it"
    return _letter(
        "key_exposed", to, f"A secret key of {app} was found in public", settings,
        url=f"{settings.portal}/apps/{app_id}/keys", app=app, last_four=last_four, when=_when(at),
        where=(where or "").partition("://")[2] or where or "", done=done, advice=advice, found=found,
    )  # fmt: skip


DunningState = Literal["active", "past_due", "read_only", "suspended", "export", "erased"]
_DUNNING: Final[dict[DunningState, tuple[str, str, str, str]]] = {
    "active": (
        "{app} is paid for again",
        "Thank you: nothing is unpaid any more.",
        "Everything works as before.",
        "",
    ),
    "past_due": (
        "A payment for {app} is overdue",
        "A bill of {app} is not paid.",
        "Everything works until {when}.",
        "After that the app is read-only: its users can read and connect, and send nothing.",
    ),
    "read_only": (
        "{app} is read-only",
        "A bill of {app} is still not paid, so the app is read-only from now on.",
        "Its users can read and connect, and send nothing. Once you pay, everything works again within seconds.",
        "On {when} the app is suspended.",
    ),
    "suspended": (
        "{app} is suspended",
        "A bill of {app} is still not paid, so the app is suspended from now on.",
        "Nobody can connect; nothing is lost. Once you pay, everything works again within seconds.",
        "From {when} on your servers can read its data, so that you can take it with you. Then it is erased.",
    ),
    "export": (
        "{app} is erased soon: fetch its data, or pay",
        "A bill of {app} is still not paid, and the app will be erased.",
        "Until {when} your servers can read its data with a secret key. Once you pay, everything works again within "
        "seconds.",
        "On {when} the app is erased for good.",
    ),
    "erased": (
        "{app} was erased",
        "The bill of {app} was not paid until the end of its export window.",
        "The app and its keys are gone for good. Invoices stay in the portal.",
        "",
    ),
}
"""By state: the subject, what happened, what that means, what comes next."""


def dunning_notice(
    settings: Settings,
    *,
    to: str,
    state: DunningState,
    app: str,
    app_id: str,
    organization_id: str,
    at: datetime,
    moves_at: datetime | None,
) -> Letter:
    """To whoever looks after billing, at each step of an unpaid bill and when it is paid. `moves_at`: when the next
    step comes."""
    when = "" if moves_at is None else moves_at.astimezone(UTC).strftime("%d %B %Y, %H:%M UTC").lstrip("0")
    subject, what, means, then = (part.format(app=app, when=when) for part in _DUNNING[state])
    pays = state in ("past_due", "read_only", "suspended", "export")
    path = f"/apps/{app_id}/plan" if pays else f"/organizations/{organization_id}/billing"
    words = "See the bill" if pays else "Open billing"
    return _letter(
        "dunning_notice", to, subject, settings,
        url=f"{settings.portal}{path}", button_words=words, what=what, means=means, then=then, when=_when(at),
    )  # fmt: skip


SecurityChange = Literal["two_step_on", "two_step_off", "codes_renewed", "code_used"]
_SECURITY: Final[dict[SecurityChange, tuple[str, str]]] = {
    "two_step_on": (
        "Two-step sign-in is on",
        "Two-step sign-in was turned on, and every other browser was signed out.",
    ),
    "two_step_off": (
        "Two-step sign-in is off",
        "Two-step sign-in was turned off, and every other browser was signed out.",
    ),
    "codes_renewed": (
        "You have new recovery codes",
        "New recovery codes were made. Those before do not work any more.",
    ),
    "code_used": ("A recovery code was used", "A recovery code was used in the place of the authenticator."),
}


def security_notice(
    settings: Settings, *, to: str, change: SecurityChange, at: datetime, left: int | None = None
) -> Letter:
    """To an account whose second step changed, so that its owner hears of what somebody else did. `left`: how many
    recovery codes there still are."""
    subject, what = _SECURITY[change]
    more = "" if left is None else f"{left} of your recovery codes are left."
    return _letter("security_notice", to, subject, settings, what=what, more=more, when=_when(at))


def confirm_new_address(settings: Settings, *, to: str, token: str) -> Letter:
    """To the address that an account wants to change to."""
    return _letter(
        "confirm_new_address", to, "Confirm your new address", settings, url=f"{settings.portal}/email/{token}"
    )


def address_changed(settings: Settings, *, to: str, after: str, token: str, at: datetime) -> Letter:
    """To the address that an account had, with the way back."""
    url = f"{settings.portal}/email-back/{token}"
    return _letter("address_changed", to, "Your address was changed", settings, url=url, after=after, when=_when(at))


def ownership_offered(
    settings: Settings, *, to: str, organization: str, organization_id: str, offered_by: str
) -> Letter:
    """To a member who is to become the owner."""
    url = f"{settings.portal}/organizations/{organization_id}/transfer"
    subject = f"{offered_by} offers you {organization}"
    return _letter(
        "ownership_offered", to, subject, settings, url=url, organization=organization, offered_by=offered_by
    )


OrganizationChange = Literal["transferred", "closed", "restored"]


def organization_notice(
    settings: Settings,
    *,
    to: str,
    change: OrganizationChange,
    organization: str,
    organization_id: str,
    by: str,
    at: datetime,
    until: datetime | None = None,
) -> Letter:
    """To an owner of an organization, or to who was one until now. `until`: when a closed one is erased."""
    subject, what = {
        "transferred": (f"{organization} has a new owner", f"{by} is now the owner of {organization}."),
        "closed": (
            f"{organization} is closed",
            f"{by} closed {organization}. Its apps are suspended and its keys are refused.",
        ),
        "restored": (f"{organization} is open again", f"{by} restored {organization}. Its apps and keys work again."),
    }[change]
    more = ""
    if until is not None:
        more = f"Until {until:%d %B %Y} an owner can restore it or download its data. Then everything is erased."
    path = "closed" if change == "closed" else "settings"
    url = f"{settings.portal}/organizations/{organization_id}/{path}"
    return _letter("organization_notice", to, subject, settings, url=url, what=what, more=more, when=_when(at))


def _when(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%d %B %Y, %H:%M UTC").lstrip("0")


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
