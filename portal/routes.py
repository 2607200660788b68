"""Every page of the portal. All of them stand behind the router's guard."""

from typing import Final

from litestar.types import ControllerRouterHandler

from portal.accounts.routes import ROUTES as ACCOUNTS
from portal.apps.routes import ROUTES as APPS
from portal.audit.routes import ROUTES as AUDIT
from portal.billing.routes import ROUTES as BILLING
from portal.docs.routes import ROUTES as DOCS
from portal.members.routes import ROUTES as MEMBERS
from portal.organizations.routes import ROUTES as ORGANIZATIONS
from portal.outbox.routes import ROUTES as OUTBOX
from portal.staff.routes import ROUTES as STAFF

PAGES: Final[list[ControllerRouterHandler]] = [
    *ACCOUNTS,
    *ORGANIZATIONS,
    *MEMBERS,
    *BILLING,
    *AUDIT,
    *OUTBOX,
    *STAFF,
    *APPS,
    *DOCS,
]
