"""Usage: an append-only ledger of what nodes and relays report, totals derived from it, and standings against plans."""
