"""Agents: how devices become known, what work they are given, and what becomes of what they send."""
