"""What an app is, where it is served, and how it stands."""
