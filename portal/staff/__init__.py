"""Pages for who operates the installation."""
