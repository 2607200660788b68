"""Credits: money that an organization has with us. It goes before anything else on an invoice."""

from billing.credits.ledger import Credit, balances, debit, entries_of, expire, grant_credit

__all__ = ["Credit", "balances", "debit", "entries_of", "expire", "grant_credit"]
