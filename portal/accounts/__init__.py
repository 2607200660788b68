"""Pages about oneself: sign up, sign in, reset, the account."""
