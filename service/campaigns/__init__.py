"""Campaigns: what is worth measuring next on a target, and what becomes of what was measured."""
