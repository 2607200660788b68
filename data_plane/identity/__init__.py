"""Who calls: secret keys, user tokens, their revocation, and the count of active users."""
