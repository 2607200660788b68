"""Declared custom fields: what queries may filter and sort by at any size."""
