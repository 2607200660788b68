"""The users of an app: profiles that the customer writes and members read."""
