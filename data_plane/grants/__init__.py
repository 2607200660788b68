"""Who may do what: permissions, channel types, roles, and what a role is granted in a type or in one channel."""
