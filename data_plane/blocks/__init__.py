"""A user blocks another: their direct channel takes no messages from the blocked, neither sees the other type."""
