"""Rate limits per user, app, address, channel, connection and kind of request."""
