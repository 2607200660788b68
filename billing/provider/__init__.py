"""Who takes the money: nobody (`null`, invoices only) or Stripe. Chosen by `NATTER_BILLING`."""

from billing.provider.port import (
    AlreadySubscribed,
    AppStanding,
    InvoiceLine,
    NoSubscription,
    PaymentRefused,
    Preview,
    PreviewLine,
    Provider,
    ProviderAway,
    ProviderInvoice,
    Standing,
)
from control_plane.context import Deps

__all__ = [
    "AlreadySubscribed",
    "AppStanding",
    "InvoiceLine",
    "NoSubscription",
    "PaymentRefused",
    "Preview",
    "PreviewLine",
    "Provider",
    "ProviderAway",
    "ProviderInvoice",
    "Standing",
    "provider_of",
]


def provider_of(deps: Deps) -> Provider:
    """The one that the settings name. Raises `SettingsError` that names what Stripe needs and is not set."""
    if deps.settings.billing == "stripe":
        # Stripe's library takes a second to import, and nobody without Stripe needs it.
        from billing.provider.stripe.provider import StripeProvider

        return StripeProvider(deps)
    from billing.provider.null import NullProvider

    return NullProvider(deps)
