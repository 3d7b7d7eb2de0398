"""Benchmarks: the operator's real process on a real API server, a real bucket and the simulator."""
