"""A news crawler that turns news sites into clean rows in PostgreSQL."""

__version__ = "0.1.0"
