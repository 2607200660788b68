"""Invites: a user is asked to become a member, and receives nothing of the channel before it accepts."""
