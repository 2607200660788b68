"""Apps: what a customer integrates. Each lives on one shard, on one plan, in one environment."""
