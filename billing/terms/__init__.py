"""What an app's customer has agreed to: facts with the moment from which they hold, and what is in force by them."""

from billing.terms.facts import Fact, load, load_organization
from billing.terms.force import THRESHOLDS, InForce, in_force

__all__ = ["THRESHOLDS", "Fact", "InForce", "in_force", "load", "load_organization"]
