"""Breaks a whole installation, records what its clients did and heard, and judges it. Begin with `run`; see docs/chaos.md."""
