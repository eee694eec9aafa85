"""How Alembic reaches the database. Blocking drivers: a migration has nothing to wait for at the same time."""

from __future__ import annotations

from logging.config import fileConfig

from alembic import context
from sqlalchemy import Connection, Engine, create_engine, make_url
from sqlalchemy.pool import NullPool

from app.settings import load_settings
from app.storage.db import NO_TEXTS, is_sqlite, set_up_sqlite
from app.storage.tables import Base


def _blocking_engine() -> Engine:
    url = make_url(context.config.attributes.get("url") or load_settings().database)
    if not is_sqlite(url.render_as_string(hide_password=False)):
        return create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 5}, **NO_TEXTS)
    engine = create_engine(url.set(drivername="sqlite"), poolclass=NullPool, **NO_TEXTS)
    set_up_sqlite(engine)
    return engine


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,  # SQLite can alter a table only by copying it
        compare_type=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def main() -> None:
    """Run what the command asks for."""
    if context.is_offline_mode():
        raise SystemExit("Migrations need a connection; --sql is not supported.")
    if context.config.config_file_name is not None:
        fileConfig(context.config.config_file_name)
    with _blocking_engine().connect() as connection:
        _run(connection)


main()
