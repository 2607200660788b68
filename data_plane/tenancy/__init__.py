"""Which apps this node serves, and what their plans allow."""
