"""The portal: pages for customers and support staff, rendered here, made lively by htmx."""
