"""Streams of predictions: requests in and answers out while both are under way, in constant memory."""
