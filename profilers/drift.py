"""Dividing out slow drift; the arithmetic is that of `lookup_tables.drift`, since a service does it as well."""

from __future__ import annotations

from lookup_tables.drift import correct_all, reference_of

__all__ = ["correct_all", "reference_of"]
