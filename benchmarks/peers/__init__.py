"""Routers of other projects beside the one of this project: `python -m benchmarks.peers`."""
