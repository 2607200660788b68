"""Billing: plans, and what was used of them. It reaches tenants through `control_plane.entitlements` only."""
