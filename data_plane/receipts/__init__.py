"""How far members have read and received a channel: unread counts, and what others see of it."""
