"""Events of an app's own, in passing: to those who watch a channel, or to a user's connections. Kept nowhere."""
