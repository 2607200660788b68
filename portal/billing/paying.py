"""What pages of money share: who takes it, the way to the payment service's own pages, where apps stand."""

from typing import Any, Final
from urllib.parse import urlsplit

from litestar import Request, Response
from litestar.di import NamedDependency, Provide
from litestar.params import SkipValidation

from billing.dunning import Unpaid
from billing.provider import Provider
from control_plane.members import Member
from portal.http.page import page
from portal.http.visit import visit_of

PAYMENTS: Final = "portal_payments"
"""Where the application's state keeps the provider."""

ProviderDependency = NamedDependency[SkipValidation[Provider]]
"""Who takes the money, as `provider`."""


async def provide_provider(request: Request[Any, Any, Any]) -> Provider:
    provider: Provider = request.app.state[PAYMENTS]
    return provider


PROVIDERS: Final = {"provider": Provide(provide_provider)}


def leave(request: Request[Any, Any, Any], url: str) -> Response[Any]:
    """Go on to a page of the payment service.

    No form of ours may end at another site, redirects included (`form-action`), and htmx must not fetch one: scripts
    are told to go there, and without them it is a page with a link, which goes on by itself.
    """
    assert urlsplit(url).scheme in ("http", "https"), "the provider's addresses are the web's"
    visit = visit_of(request)
    if visit.fragment or visit.boosted:
        return Response(b"", status_code=204, headers={"hx-redirect": url})
    return page(request, "billing/leaving.html", url=url, headers={"refresh": f"0; url={url}"})


async def bill_of(provider: Provider, member: Member, unpaid: Unpaid | None) -> str | None:
    """The payment service's page on which an app's oldest open bill is paid, if it has one. Asks nobody outside."""
    if unpaid is None or not provider.takes_money or not member.may("billing.manage"):
        return None
    bills = [
        invoice
        for invoice in await provider.invoices(member)
        if invoice.app_id == unpaid.app_id and invoice.status in ("open", "uncollectible") and invoice.hosted_url
    ]
    return min(bills, key=lambda invoice: invoice.created_at).hosted_url if bills else None
