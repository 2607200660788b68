"""The spend guard: what happens beyond limits, a budget, and when to be told."""
