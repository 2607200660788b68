"""The app's keys: list, create, roll, revoke."""
