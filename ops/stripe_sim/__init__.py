"""A stateful server that speaks Stripe's protocol, for tests and development. See ADR 0052 and docs/stripe-sim.md."""
