"""Plans: versioned configuration in `plans.toml`."""

from billing.plans.catalog import Catalog, MeterTerms, Overage, Plan, PlanFileError, load_catalog

__all__ = ["Catalog", "MeterTerms", "Overage", "Plan", "PlanFileError", "load_catalog"]
