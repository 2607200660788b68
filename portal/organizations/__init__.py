"""Pages of organizations: the first one, others, their apps, their settings."""
