"""The app's name, and the web pages that may connect."""
