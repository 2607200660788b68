"""Reactions to messages: any emoji, or a short name of the customer's own."""
