"""What the service does with whatever is sent to it, and while its parts are killed. `make bench` runs all of it."""
