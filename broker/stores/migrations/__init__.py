"""How the schema came to be, for alembic. ``stores/migrate.py`` runs it."""
