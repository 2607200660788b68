"""Breaks a whole installation, records what its clients did and heard, and judges it. Begins with `run`."""
