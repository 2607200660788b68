"""Invoices: what a month costs, and the document that says so for ever."""
