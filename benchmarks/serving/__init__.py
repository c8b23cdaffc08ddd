"""How fast a service answers over HTTP. ``python -m benchmarks.serving`` prints; nothing is asserted."""
