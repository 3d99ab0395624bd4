"""Measurements of the whole program from outside: run as `python -m benchmarks.NAME`."""
