"""Benchmarks: each starts what it measures, loads it over loopback, and prints JSON."""
