"""What happens to an app whose bill is not paid, step by step, and back at once when it is."""

from billing.dunning.ladder import Lengths, Standing, State, standing
from billing.dunning.letters import DunningJobs
from billing.dunning.reads import Unpaid, unpaid_app, unpaid_apps
from billing.dunning.service import DunningKeeper, observe

__all__ = [
    "DunningJobs",
    "DunningKeeper",
    "Lengths",
    "Standing",
    "State",
    "Unpaid",
    "observe",
    "standing",
    "unpaid_app",
    "unpaid_apps",
]
