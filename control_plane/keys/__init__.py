"""Keys of apps: publishable and secret API keys, and the keys that sign user tokens."""
