"""How long things take, and what breaks them. ``python -m benchmarks`` prints the table of what is wanted."""
