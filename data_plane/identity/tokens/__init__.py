"""Access and refresh tokens that Natter makes, and their revocation."""
