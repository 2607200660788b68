"""Locate: a client learns from its publishable key where its app is served."""
