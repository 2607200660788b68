"""The first message: code that runs as it is pasted, with the app's own keys."""
