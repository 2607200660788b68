"""Users that nobody knows: made by an app's clients themselves, where the app lets them in."""
