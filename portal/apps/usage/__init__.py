"""Usage of a month against the limits of the plan."""
