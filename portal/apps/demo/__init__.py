"""The live demo: two users of an app chat on one page, over the app's own node."""
