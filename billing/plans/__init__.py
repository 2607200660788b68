"""Plans: versioned configuration in `plans.toml`."""

from billing.plans.catalog import (
    AddOn,
    Catalog,
    Coupon,
    MeterTerms,
    Overage,
    Plan,
    PlanFileError,
    Tax,
    load_catalog,
)

__all__ = [
    "AddOn",
    "Catalog",
    "Coupon",
    "MeterTerms",
    "Overage",
    "Plan",
    "PlanFileError",
    "Tax",
    "load_catalog",
]
