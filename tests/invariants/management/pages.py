"""How each route of the management port is swept. A new route needs its lines here, or the sweep fails."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from control_plane.members.roles import PERMISSIONS, ROLES, Permission
from tests.invariants.coverage import Operation
from tests.invariants.management.world import FRESH, PEM, SLOTS, TYPED, Kit

Slots = frozenset[str]
Path = Callable[[Any], str]
Fill = Callable[[Any], Mapping[str, str]]


@dataclass(frozen=True)
class Inside:
    """A page inside of an organization. Who is no member is told what he would be told of nothing; a member needs the
    permission. `done` is the status for who may, `by_role` for roles that get another one.

    `filters`: slots that only narrow a list down: another's id there finds nothing.
    """

    path: Path
    form: Fill | None = None
    needs: Permission | None = None
    done: int = 200
    by_role: Mapping[str, int] = field(default_factory=dict)
    filters: frozenset[str] = frozenset()
    changes: bool = True
    """Whether the form changes rows when it succeeds. Proves that what was refused before would have done something."""

    def slots(self) -> Slots:
        """The slots that the request has."""
        return used(lambda kit: (self.path(kit), dict(self.form(kit)) if self.form else None)) & set(SLOTS)

    def status(self, role: str) -> int:
        """For a member of this role on its own organization's things."""
        if self.needs is not None and self.needs not in PERMISSIONS[role]:  # type: ignore[index]
            return 403
        return self.by_role.get(role, self.done)


@dataclass(frozen=True)
class Personal:
    """A page about whoever is signed in. `newcomer`: the status for who has no organization, where it differs;
    `session`: a session's id stands in its path."""

    path: Path
    form: Fill | None = None
    done: int = 200
    newcomer: int | None = None
    session: bool = False


@dataclass(frozen=True)
class Door:
    """A page for everybody, which has nothing of anybody's."""

    path: str
    form: Mapping[str, str] | None = None
    done: int = 200
    signed_in: int | None = None
    """Where it differs for who is signed in."""


@dataclass(frozen=True)
class Elsewhere:
    """Swept by a test of its own, which `test` names."""

    test: str


Entry = Inside | Personal | Door | Elsewhere


class _Recorder:
    def __init__(self) -> None:
        self.asked: set[str] = set()

    def __getattr__(self, name: str) -> str:
        if name not in Kit.__dataclass_fields__:
            raise AttributeError(name)
        self.asked.add(name)
        return "x"


def used(request: Callable[[Any], Any]) -> Slots:
    """What a request reads of a kit."""
    recorder = _Recorder()
    request(recorder)
    return frozenset(recorder.asked)


def typed(slots: Slots) -> Iterator[str]:
    """What is typed of the things in these slots."""
    for slot in slots:
        yield from TYPED.get(slot, ())


OUTBOX = Elsewhere("test_outbox.py")
STAFF = Elsewhere("test_staff.py")
LINKS = Elsewhere("test_links.py")
MACHINES = Elsewhere("test_machines.py")
OWNERS_STAY = {"owner": 409}

PAGES: dict[Operation, list[Entry]] = {
    # -- for machines --------------------------------------------------------------------------------------------------
    ("GET", "/healthz"): [MACHINES],
    ("GET", "/readyz"): [MACHINES],
    ("GET", "/metrics"): [MACHINES],
    ("GET", "/v1/locate"): [MACHINES],
    ("GET", "/v1/openapi.json"): [MACHINES],
    ("POST", "/v1/leaks"): [MACHINES],
    ("POST", "/v1/leaks/github"): [MACHINES],
    ("GET", "/internal/v1/snapshots"): [MACHINES],
    ("POST", "/internal/v1/usage"): [MACHINES],
    ("POST", "/webhooks/stripe"): [MACHINES],
    ("GET", "/static/{digest}/{path}"): [MACHINES],
    # -- the door ------------------------------------------------------------------------------------------------------
    ("GET", "/"): [Door("/", done=303)],
    ("GET", "/sign-up"): [Door("/sign-up", signed_in=303)],
    ("POST", "/sign-up"): [Door("/sign-up", {"email": "", "name": "", "password": ""}, done=422)],
    ("GET", "/check-mail"): [Door("/check-mail", done=303)],
    ("GET", "/sign-in"): [Door("/sign-in", signed_in=303)],
    ("POST", "/sign-in"): [Door("/sign-in", {"email": "", "password": ""}, done=422)],
    ("GET", "/sign-in/code"): [Door("/sign-in/code", done=303)],
    ("POST", "/sign-in/code"): [Door("/sign-in/code", {"code": "000000"}, done=303)],
    ("POST", "/sign-out"): [Elsewhere("test_pages.py")],
    ("GET", "/reset"): [Door("/reset")],
    ("POST", "/reset"): [Door("/reset", {"email": ""}, done=422)],
    ("POST", "/theme"): [Door("/theme", {"theme": "dark", "back": "/sign-in"}, done=303)],
    ("GET", "/docs/api"): [Door("/docs/api")],
    ("GET", "/docs/realtime"): [Door("/docs/realtime")],
    ("GET", "/docs/errors"): [Door("/docs/errors")],
    # -- links in mails, and what shows mails --------------------------------------------------------------------------
    ("GET", "/verify/{token}"): [LINKS],
    ("POST", "/verify/{token}"): [LINKS],
    ("GET", "/reset/{token}"): [LINKS],
    ("POST", "/reset/{token}"): [LINKS],
    ("GET", "/email/{token}"): [LINKS],
    ("POST", "/email/{token}"): [LINKS],
    ("GET", "/email-back/{token}"): [LINKS],
    ("POST", "/email-back/{token}"): [LINKS],
    ("GET", "/invitations/{token}"): [LINKS],
    ("POST", "/invitations/{token}"): [LINKS],
    ("GET", "/local/{token}"): [LINKS],
    ("POST", "/local/{token}"): [LINKS],
    ("GET", "/staff/webhooks"): [STAFF],
    ("POST", "/staff/webhooks/{event_id}/replay"): [STAFF],
    ("POST", "/staff/webhooks/refused/{command_id}/again"): [STAFF],
    ("POST", "/staff/webhooks/refused/{command_id}/drop"): [STAFF],
    ("GET", "/outbox"): [OUTBOX],
    ("GET", "/outbox/{mail_id}"): [OUTBOX],
    ("GET", "/outbox/{mail_id}/body"): [OUTBOX],
    ("POST", "/outbox/{mail_id}/send-again"): [OUTBOX],
    # -- one's own -----------------------------------------------------------------------------------------------------
    ("GET", "/account"): [Personal(lambda k: "/account")],
    ("POST", "/account/name"): [Personal(lambda k: "/account/name", lambda k: {"name": "Renamed"}, done=303)],
    ("POST", "/account/password"): [
        Personal(lambda k: "/account/password", lambda k: {"current": "wrong", "new": "something new"}, done=422),
    ],
    ("GET", "/account/security"): [Personal(lambda k: "/account/security")],
    ("GET", "/confirm"): [Personal(lambda k: "/confirm?next=/account/security")],
    ("POST", "/confirm"): [Personal(lambda k: "/confirm", lambda k: {"confirm_password": "wrong"}, done=422)],
    ("POST", "/account/email"): [Personal(lambda k: "/account/email", lambda k: {"email": "no address"}, done=422)],
    ("POST", "/account/two-step/offer"): [
        Personal(lambda k: "/account/two-step/offer", lambda k: {}, done=303),
    ],
    # The settled one has been offered an authenticator.
    ("GET", "/account/two-step"): [Personal(lambda k: "/account/two-step", newcomer=303)],
    ("POST", "/account/two-step"): [
        Personal(lambda k: "/account/two-step", lambda k: {"code": "000000"}, done=422, newcomer=303)
    ],
    # Two-step sign-in is off, so there is nothing to turn off or to renew.
    ("GET", "/account/two-step/off"): [Personal(lambda k: "/account/two-step/off", done=303)],
    ("POST", "/account/two-step/off"): [Personal(lambda k: "/account/two-step/off", lambda k: {}, done=303)],
    ("GET", "/account/recovery-codes"): [Personal(lambda k: "/account/recovery-codes", done=303)],
    ("POST", "/account/recovery-codes"): [Personal(lambda k: "/account/recovery-codes", lambda k: {}, done=303)],
    ("POST", "/account/sessions/{session_id}/end"): [
        Personal(lambda k: f"/account/sessions/{k.session}/end", lambda k: {}, done=303, session=True),
    ],
    ("POST", "/account/sessions/end-others"): [Elsewhere("test_pages.py")],
    ("GET", "/welcome"): [Personal(lambda k: "/welcome", done=303, newcomer=200)],
    ("POST", "/welcome"): [
        Personal(
            lambda k: "/welcome",
            lambda k: {"organization": "", "app": "", "new_id": FRESH, "new_app_id": FRESH},
            done=422,
        ),
    ],
    ("GET", "/organizations/new"): [Personal(lambda k: "/organizations/new")],
    ("POST", "/organizations/new"): [
        Personal(lambda k: "/organizations/new", lambda k: {"organization": "", "new_id": FRESH}, done=422),
    ],
    # -- organizations -------------------------------------------------------------------------------------------------
    ("GET", "/organizations/{organization_id}"): [
        Inside(lambda k: f"/organizations/{k.organization}", needs="apps.read"),
        Inside(lambda k: f"/organizations/{k.organization}?cursor={k.app}", needs="apps.read", filters=Slots({"app"})),
    ],
    ("GET", "/organizations/{organization_id}/apps/new"): [
        Inside(lambda k: f"/organizations/{k.organization}/apps/new", needs="apps.create"),
    ],
    ("POST", "/organizations/{organization_id}/apps/new"): [
        Inside(
            lambda k: f"/organizations/{k.organization}/apps/new",
            lambda k: {"app": "Mine", "environment": "development", "new_id": FRESH},
            needs="apps.create",
        ),
    ],
    ("GET", "/organizations/{organization_id}/settings"): [
        Inside(lambda k: f"/organizations/{k.organization}/settings"),
    ],
    ("POST", "/organizations/{organization_id}/settings"): [
        Inside(
            lambda k: f"/organizations/{k.organization}/settings",
            lambda k: {"organization": f"Renamed {k.organization}"},
            needs="organization.update",
            done=303,
        ),
    ],
    ("POST", "/organizations/{organization_id}/two-step"): [
        Inside(
            lambda k: f"/organizations/{k.organization}/two-step",
            lambda k: {"required": "no"},
            needs="organization.update",
            done=303,
        ),
    ],
    ("GET", "/organizations/{organization_id}/transfer"): [
        Inside(lambda k: f"/organizations/{k.organization}/transfer"),
    ],
    ("POST", "/organizations/{organization_id}/transfer"): [
        Inside(
            lambda k: f"/organizations/{k.organization}/transfer",
            lambda k: {"member": k.member},
            needs="organization.own",
            done=303,
        ),
    ],
    # Each house is offered to its viewer.
    ("POST", "/organizations/{organization_id}/transfer/accept"): [
        Inside(
            lambda k: f"/organizations/{k.organization}/transfer/accept",
            lambda k: {},
            done=404,
            by_role={"viewer": 303},
            changes=False,
        ),
    ],
    ("POST", "/organizations/{organization_id}/transfer/end"): [
        Inside(
            lambda k: f"/organizations/{k.organization}/transfer/end",
            lambda k: {},
            done=404,
            by_role={"viewer": 303, "owner": 303},
            changes=False,
        ),
    ],
    ("GET", "/organizations/{organization_id}/close"): [
        Inside(lambda k: f"/organizations/{k.organization}/close", needs="organization.own"),
    ],
    ("POST", "/organizations/{organization_id}/close"): [
        Inside(
            lambda k: f"/organizations/{k.organization}/close",
            lambda k: {"organization": k.organization_name},
            needs="organization.own",
            done=303,
        ),
    ],
    # It is open, so there is nothing to see and nothing to restore. Closed ones are swept in a test of their own.
    ("GET", "/organizations/{organization_id}/closed"): [
        Inside(lambda k: f"/organizations/{k.organization}/closed", done=303),
    ],
    ("POST", "/organizations/{organization_id}/restore"): [
        Inside(
            lambda k: f"/organizations/{k.organization}/restore",
            lambda k: {},
            needs="organization.own",
            done=303,
            changes=False,
        ),
    ],
    ("GET", "/organizations/{organization_id}/export"): [
        Inside(lambda k: f"/organizations/{k.organization}/export", needs="organization.own"),
    ],
    ("GET", "/organizations/{organization_id}/members"): [
        Inside(lambda k: f"/organizations/{k.organization}/members", needs="members.read"),
        Inside(
            lambda k: f"/organizations/{k.organization}/members?cursor={k.member}",
            needs="members.read",
            filters=Slots({"member"}),
        ),
        # In the victim's addresses and in everybody else's.
        Inside(lambda k: f"/organizations/{k.organization}/members?search=example", needs="members.read"),
    ],
    ("GET", "/organizations/{organization_id}/members/invite"): [
        Inside(lambda k: f"/organizations/{k.organization}/members/invite", needs="members.manage"),
    ],
    ("POST", "/organizations/{organization_id}/members/invite"): [
        Inside(
            lambda k: f"/organizations/{k.organization}/members/invite",
            lambda k: {"email": "somebody@example.com", "role": "viewer", "new_id": FRESH},
            needs="members.manage",
            done=303,
        ),
    ],
    ("POST", "/organizations/{organization_id}/invitations/{invitation_id}/revoke"): [
        Inside(
            lambda k: f"/organizations/{k.organization}/invitations/{k.invitation}/revoke",
            lambda k: {},
            needs="members.manage",
            done=303,
        ),
    ],
    ("GET", "/organizations/{organization_id}/members/{account_id}"): [
        Inside(lambda k: f"/organizations/{k.organization}/members/{k.member}", needs="members.read"),
    ],
    ("POST", "/organizations/{organization_id}/members/{account_id}/role"): [
        Inside(
            lambda k: f"/organizations/{k.organization}/members/{k.member}/role",
            lambda k: {"role": "developer"},
            needs="members.manage",
            done=303,
        ),
    ],
    ("POST", "/organizations/{organization_id}/members/{account_id}/remove"): [
        Inside(
            lambda k: f"/organizations/{k.organization}/members/{k.member}/remove",
            lambda k: {"email": k.member_email},
            needs="members.manage",
            done=303,
        ),
    ],
    ("GET", "/organizations/{organization_id}/leave"): [Inside(lambda k: f"/organizations/{k.organization}/leave")],
    ("POST", "/organizations/{organization_id}/leave"): [
        Inside(
            lambda k: f"/organizations/{k.organization}/leave",
            lambda k: {"organization": k.organization_name},
            done=303,
            by_role=OWNERS_STAY,
            changes=False,
        ),
    ],
    ("GET", "/organizations/{organization_id}/audit"): [
        Inside(lambda k: f"/organizations/{k.organization}/audit", needs="audit.read"),
        Inside(
            lambda k: f"/organizations/{k.organization}/audit?app={k.app}", needs="audit.read", filters=Slots({"app"})
        ),
        Inside(
            lambda k: f"/organizations/{k.organization}/audit?cursor={k.audit}",
            needs="audit.read",
            filters=Slots({"audit"}),
        ),
        Inside(
            lambda k: f"/organizations/{k.organization}/audit?actor=account:{k.member}",
            needs="audit.read",
            filters=Slots({"member"}),
        ),
    ],
    ("POST", "/organizations/{organization_id}/audit/export"): [
        Inside(lambda k: f"/organizations/{k.organization}/audit/export", lambda k: {}, needs="audit.read"),
        Inside(
            lambda k: f"/organizations/{k.organization}/audit/export",
            lambda k: {"app": k.app},
            needs="audit.read",
            filters=Slots({"app"}),
        ),
    ],
    # -- apps ----------------------------------------------------------------------------------------------------------
    ("GET", "/apps/{app_id}"): [Inside(lambda k: f"/apps/{k.app}", needs="apps.read")],
    ("GET", "/apps/{app_id}/quickstart"): [Inside(lambda k: f"/apps/{k.app}/quickstart", needs="apps.read")],
    ("POST", "/apps/{app_id}/quickstart"): [
        Inside(lambda k: f"/apps/{k.app}/quickstart", lambda k: {"new_id": FRESH}, needs="keys.manage"),
    ],
    ("GET", "/apps/{app_id}/keys"): [Inside(lambda k: f"/apps/{k.app}/keys", needs="keys.read")],
    ("POST", "/apps/{app_id}/keys"): [
        Inside(
            lambda k: f"/apps/{k.app}/keys",
            lambda k: {"new_id": FRESH, "access": "all", "lifetime": ""},
            needs="keys.manage",
        ),
    ],
    ("POST", "/apps/{app_id}/keys/publishable"): [
        Inside(lambda k: f"/apps/{k.app}/keys/publishable", lambda k: {"new_id": FRESH}, needs="keys.manage", done=303),
    ],
    ("GET", "/apps/{app_id}/keys/new"): [Inside(lambda k: f"/apps/{k.app}/keys/new", needs="keys.manage")],
    ("GET", "/apps/{app_id}/keys/{key_id}/row"): [
        Inside(lambda k: f"/apps/{k.app}/keys/{k.secret}/row", needs="keys.read"),
        Inside(lambda k: f"/apps/{k.app}/keys/{k.publishable}/row", needs="keys.read"),
    ],
    ("GET", "/apps/{app_id}/keys/{key_id}/roll"): [
        Inside(lambda k: f"/apps/{k.app}/keys/{k.secret}/roll", needs="keys.manage"),
    ],
    ("POST", "/apps/{app_id}/keys/{key_id}/roll"): [
        Inside(
            lambda k: f"/apps/{k.app}/keys/{k.secret}/roll",
            lambda k: {"new_id": FRESH, "overlap": "24h"},
            needs="keys.manage",
        ),
    ],
    ("GET", "/apps/{app_id}/keys/{key_id}/revoke"): [
        Inside(lambda k: f"/apps/{k.app}/keys/{k.secret}/revoke", needs="keys.manage"),
    ],
    ("POST", "/apps/{app_id}/keys/{key_id}/revoke"): [
        Inside(
            lambda k: f"/apps/{k.app}/keys/{k.secret}/revoke",
            lambda k: {"last_four": k.last_four},
            needs="keys.manage",
            done=303,
        ),
    ],
    ("GET", "/apps/{app_id}/signing-keys/new"): [
        Inside(lambda k: f"/apps/{k.app}/signing-keys/new", needs="keys.manage"),
    ],
    ("POST", "/apps/{app_id}/signing-keys"): [
        Inside(
            lambda k: f"/apps/{k.app}/signing-keys",
            lambda k: {"new_id": FRESH, "public_key": PEM, "kid": "mine"},
            needs="keys.manage",
            done=303,
        ),
    ],
    ("POST", "/apps/{app_id}/signing-keys/secret"): [
        Inside(lambda k: f"/apps/{k.app}/signing-keys/secret", lambda k: {"new_id": FRESH}, needs="keys.manage"),
    ],
    ("POST", "/apps/{app_id}/key-sets/{key_set_id}/stop"): [
        Inside(lambda k: f"/apps/{k.app}/key-sets/{k.key_set}/stop", lambda k: {}, needs="keys.manage", done=303),
    ],
    ("GET", "/apps/{app_id}/signing-keys/{key_id}/revoke"): [
        Inside(lambda k: f"/apps/{k.app}/signing-keys/{k.signing}/revoke", needs="keys.manage"),
    ],
    ("POST", "/apps/{app_id}/signing-keys/{key_id}/revoke"): [
        Inside(
            lambda k: f"/apps/{k.app}/signing-keys/{k.signing}/revoke",
            lambda k: {"last_four": k.signing_end},
            needs="keys.manage",
            done=303,
        ),
    ],
    ("GET", "/apps/{app_id}/settings/promote"): [
        Inside(lambda k: f"/apps/{k.app}/settings/promote", needs="apps.delete"),
    ],
    ("POST", "/apps/{app_id}/settings/promote"): [
        Inside(
            lambda k: f"/apps/{k.app}/settings/promote",
            lambda k: {"confirm": k.app_name},
            needs="apps.delete",
            done=303,
        ),
    ],
    ("GET", "/apps/{app_id}/settings/delete"): [
        Inside(lambda k: f"/apps/{k.app}/settings/delete", needs="apps.delete"),
    ],
    ("POST", "/apps/{app_id}/settings/delete"): [
        Inside(
            lambda k: f"/apps/{k.app}/settings/delete",
            lambda k: {"confirm": k.app_name},
            needs="apps.delete",
            done=303,
        ),
    ],
    ("GET", "/apps/{app_id}/settings/open"): [Inside(lambda k: f"/apps/{k.app}/settings/open", needs="apps.update")],
    ("POST", "/apps/{app_id}/settings/open"): [
        Inside(
            lambda k: f"/apps/{k.app}/settings/open",
            lambda k: {"confirm": k.app_name},
            needs="apps.update",
            done=303,
        ),
    ],
    # -- billing -------------------------------------------------------------------------------------------------------
    ("GET", "/organizations/{organization_id}/billing"): [
        Inside(lambda k: f"/organizations/{k.organization}/billing", needs="usage.read")
    ],
    ("GET", "/organizations/{organization_id}/billing/details"): [
        Inside(lambda k: f"/organizations/{k.organization}/billing/details", needs="billing.manage")
    ],
    ("POST", "/organizations/{organization_id}/billing/details"): [
        Inside(
            lambda k: f"/organizations/{k.organization}/billing/details",
            lambda k: {"company": "Mine Ltd", "address": "1 Street", "tax_number": "X1"},
            needs="billing.manage",
            done=303,
        )
    ],
    ("POST", "/organizations/{organization_id}/billing/coupon"): [
        Inside(
            lambda k: f"/organizations/{k.organization}/billing/coupon",
            lambda k: {"code": "WELCOME50"},
            needs="billing.manage",
            done=303,
        )
    ],
    # Nobody is paid in this installation: `tests/portal/test_paying.py` is about one in which somebody is.
    ("POST", "/organizations/{organization_id}/billing/portal"): [
        Inside(
            lambda k: f"/organizations/{k.organization}/billing/portal",
            lambda k: {},
            needs="billing.manage",
            done=409,
            changes=False,
        )
    ],
    ("GET", "/organizations/{organization_id}/bills/{bill_id}"): [
        Inside(lambda k: f"/organizations/{k.organization}/bills/in_1", done=404)
    ],
    ("GET", "/organizations/{organization_id}/bills/{bill_id}/lines/{place}"): [
        Inside(lambda k: f"/organizations/{k.organization}/bills/in_1/lines/1", done=404)
    ],
    ("GET", "/organizations/{organization_id}/bills/{bill_id}/lines/{place}/rows.csv"): [
        Inside(lambda k: f"/organizations/{k.organization}/bills/in_1/lines/1/rows.csv", done=404)
    ],
    ("GET", "/organizations/{organization_id}/credits"): [
        Inside(lambda k: f"/organizations/{k.organization}/credits", needs="usage.read")
    ],
    ("GET", "/organizations/{organization_id}/invoices/{invoice_id}"): [
        Inside(lambda k: f"/organizations/{k.organization}/invoices/{k.invoice}", needs="usage.read")
    ],
    ("GET", "/organizations/{organization_id}/invoices/{invoice_id}/pdf"): [
        Inside(lambda k: f"/organizations/{k.organization}/invoices/{k.invoice}/pdf", needs="usage.read")
    ],
    ("GET", "/organizations/{organization_id}/invoices/{invoice_id}/lines/{place}"): [
        Inside(lambda k: f"/organizations/{k.organization}/invoices/{k.invoice}/lines/1", needs="usage.read")
    ],
    ("GET", "/organizations/{organization_id}/invoices/{invoice_id}/lines/{place}/rows.csv"): [
        Inside(lambda k: f"/organizations/{k.organization}/invoices/{k.invoice}/lines/1/rows.csv", needs="usage.read")
    ],
    ("GET", "/apps/{app_id}/plan"): [Inside(lambda k: f"/apps/{k.app}/plan", needs="usage.read")],
    ("GET", "/apps/{app_id}/plan/{plan_id}"): [Inside(lambda k: f"/apps/{k.app}/plan/growth", needs="billing.manage")],
    ("POST", "/apps/{app_id}/plan"): [
        Inside(lambda k: f"/apps/{k.app}/plan", lambda k: {"plan": "growth"}, needs="billing.manage", done=303)
    ],
    ("GET", "/apps/{app_id}/plan/paid"): [
        Inside(lambda k: f"/apps/{k.app}/plan/paid", needs="billing.manage", done=303)
    ],
    ("POST", "/apps/{app_id}/plan/checkout"): [
        Inside(lambda k: f"/apps/{k.app}/plan/checkout", lambda k: {"plan": "starter"}, needs="billing.manage")
    ],
    ("POST", "/apps/{app_id}/plan/cancel"): [
        Inside(lambda k: f"/apps/{k.app}/plan/cancel", lambda k: {}, needs="billing.manage", done=303)
    ],
    ("POST", "/apps/{app_id}/plan/keep"): [
        Inside(lambda k: f"/apps/{k.app}/plan/keep", lambda k: {}, needs="billing.manage", done=303)
    ],
    ("POST", "/apps/{app_id}/plan/trial"): [
        Inside(lambda k: f"/apps/{k.app}/plan/trial", lambda k: {"plan": "growth"}, needs="billing.manage", done=303)
    ],
    # No trial runs, and the free plan takes no add-ons and leaves no choice.
    ("POST", "/apps/{app_id}/plan/trial/end"): [
        Inside(
            lambda k: f"/apps/{k.app}/plan/trial/end",
            lambda k: {"keep": "yes"},
            needs="billing.manage",
            done=409,
            changes=False,
        )
    ],
    ("POST", "/apps/{app_id}/plan/addons"): [
        Inside(
            lambda k: f"/apps/{k.app}/plan/addons",
            lambda k: {"addon": "mau_10k", "quantity": "1"},
            needs="billing.manage",
            done=409,
            changes=False,
        )
    ],
    ("GET", "/apps/{app_id}/spend"): [Inside(lambda k: f"/apps/{k.app}/spend", needs="usage.read")],
    ("POST", "/apps/{app_id}/spend/over"): [
        Inside(
            lambda k: f"/apps/{k.app}/spend/over",
            lambda k: {"meter": "messages", "over": "bill"},
            needs="billing.manage",
            done=422,
            changes=False,
        )
    ],
    ("POST", "/apps/{app_id}/spend/budget"): [
        Inside(
            lambda k: f"/apps/{k.app}/spend/budget",
            lambda k: {"amount": "100", "budget_over": "stop"},
            needs="billing.manage",
            done=303,
        )
    ],
    ("POST", "/apps/{app_id}/spend/alerts"): [
        Inside(
            lambda k: f"/apps/{k.app}/spend/alerts",
            lambda k: {"thresholds": "25, 90"},
            needs="billing.manage",
            done=303,
        )
    ],
    ("GET", "/apps/{app_id}/usage"): [Inside(lambda k: f"/apps/{k.app}/usage", needs="usage.read")],
    ("GET", "/apps/{app_id}/demo"): [Inside(lambda k: f"/apps/{k.app}/demo", needs="demo.use")],
    ("GET", "/apps/{app_id}/demo/guest"): [Inside(lambda k: f"/apps/{k.app}/demo/guest", needs="demo.use")],
    ("POST", "/apps/{app_id}/demo/conversation"): [
        Inside(
            lambda k: f"/apps/{k.app}/demo/conversation",
            lambda k: {"channel": "demo"},
            needs="demo.use",
            done=409,
            changes=False,
        )
    ],
    ("POST", "/apps/{app_id}/demo/session"): [
        # No node of the app runs here, so there is nowhere to chat.
        Inside(
            lambda k: f"/apps/{k.app}/demo/session", lambda k: {"node": ""}, needs="demo.use", done=409, changes=False
        ),
    ],
    ("POST", "/apps/{app_id}/demo/origin"): [
        # A new app lets every page in, so there is nothing to add.
        Inside(lambda k: f"/apps/{k.app}/demo/origin", lambda k: {}, needs="apps.update", done=303, changes=False),
    ],
    ("GET", "/apps/{app_id}/settings"): [Inside(lambda k: f"/apps/{k.app}/settings", needs="apps.read")],
    ("POST", "/apps/{app_id}/settings/name"): [
        Inside(lambda k: f"/apps/{k.app}/settings/name", lambda k: {"app": "Renamed"}, needs="apps.update", done=303),
    ],
    ("POST", "/apps/{app_id}/settings/origins/add"): [
        Inside(
            lambda k: f"/apps/{k.app}/settings/origins/add",
            lambda k: {"allowed_origins": "https://mine.example"},
            needs="apps.update",
            done=303,
        ),
    ],
    ("POST", "/apps/{app_id}/settings/anonymous"): [
        Inside(
            lambda k: f"/apps/{k.app}/settings/anonymous", lambda k: {"allowed": "yes"}, needs="apps.update", done=303
        ),
    ],
    ("POST", "/apps/{app_id}/settings/leaked-keys"): [
        Inside(
            lambda k: f"/apps/{k.app}/settings/leaked-keys", lambda k: {"revoke": "no"}, needs="keys.manage", done=303
        ),
    ],
    ("POST", "/apps/{app_id}/settings/guests"): [
        Inside(lambda k: f"/apps/{k.app}/settings/guests", lambda k: {"allowed": "yes"}, needs="apps.update", done=303),
    ],
    ("POST", "/apps/{app_id}/settings/origins/remove"): [
        # The last one cannot go.
        Inside(
            lambda k: f"/apps/{k.app}/settings/origins/remove",
            lambda k: {"allowed_origins": "*"},
            needs="apps.update",
            done=422,
            changes=False,
        ),
    ],
}


def entries(kind: type[Any]) -> Iterator[tuple[Operation, Any]]:
    """Each entry of a kind with its operation."""
    for operation, listed in PAGES.items():
        for entry in listed:
            if isinstance(entry, kind):
                yield operation, entry


def named(case: Any) -> str:
    """A test's name for an operation and its entry."""
    if isinstance(case, tuple):
        return " ".join(case)
    if isinstance(case, Inside | Personal):
        recorder = Kit(*(f"{{{name}}}" for name in SLOTS))
        return case.path(recorder)
    return str(case)


__all__ = ["PAGES", "ROLES", "Door", "Elsewhere", "Inside", "Personal", "entries", "named"]
