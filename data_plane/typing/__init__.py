"""Who types: events in passing, from memory to the bus, kept nowhere."""
