"""Alembic migrations, packaged so that an installed service can upgrade its own database."""

#: The newest revision; known without importing Alembic, since every command asks whether there is something to do.
HEAD = "0007"
