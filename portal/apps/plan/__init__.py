"""The app's plan: what it includes, what it costs, and how to change it."""
