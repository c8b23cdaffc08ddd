"""Agents under stress: killed at random moments, and a thousand at once."""
