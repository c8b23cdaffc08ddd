"""How long things take. ``python -m benchmarks`` prints; nothing is asserted."""
