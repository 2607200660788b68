"""The control plane: who the tenants are, what they may do, and where they live. Nodes learn it as snapshots."""
