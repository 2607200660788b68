"""Threads: the replies to a message, who takes part, and how far each has read."""
