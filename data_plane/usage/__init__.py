"""Usage on its way up: from the shard's outbox to the ledger."""
