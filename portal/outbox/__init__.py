"""The outbox: mails as they would be sent, for staff and for the machine's owner."""
