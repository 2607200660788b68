"""Messages that a channel has pinned, for good or until a moment."""
