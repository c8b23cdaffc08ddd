"""Alembic migrations, packaged so that an installed service can upgrade its own database."""
