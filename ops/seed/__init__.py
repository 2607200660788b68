"""`natter seed`: a tenant as it looks after months of use, for demos, screenshots and measurements."""
