"""The schema's history, run by `app.storage.migrate` or the `alembic` command."""
