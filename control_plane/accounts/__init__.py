"""Accounts: people, how they prove who they are, and the browsers that they are signed in with."""
