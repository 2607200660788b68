"""Run Alembic on one database. Apart from the rest because its imports are slow."""

import asyncio
import threading
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from kernel.db import sqlalchemy_url

# Alembic's `op` and `context` are globals of the process, so one upgrade runs at a time.
_one_at_a_time = threading.Lock()


def upgrade(plane: str, url: str, lock_timeout: str) -> list[str]:
    """Apply every missing revision, each in a transaction of its own; returns them, oldest first. Blocks."""
    with _one_at_a_time:
        return asyncio.run(_upgrade(plane, url, lock_timeout))


async def _upgrade(plane: str, url: str, lock_timeout: str) -> list[str]:
    applied: list[str] = []

    def run(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / plane))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        config.attributes["applied"] = applied
        command.upgrade(config, "head")

    settings = {"application_name": "natter-migrate", "timezone": "UTC", "lock_timeout": lock_timeout}
    engine = create_async_engine(
        sqlalchemy_url(url), poolclass=NullPool, connect_args={"server_settings": settings, "timeout": 10}
    )
    try:
        async with engine.connect() as connection:
            await connection.run_sync(run)
    finally:
        await engine.dispose()
    return applied


def run_environment(context: Any, schema: str, readers: str) -> None:
    """What each plane's `env.py` does: the version table lives in the plane's own schema, readable by its role."""
    attributes = context.config.attributes
    connection: Connection = attributes["connection"]

    def note(*, step: Any, **_: Any) -> None:
        attributes["applied"].extend(step.up_revision_ids)

    connection.execute(text(f"create schema if not exists {schema}"))
    connection.commit()
    context.configure(
        connection=connection,
        version_table_schema=schema,
        transaction_per_migration=True,
        on_version_apply=note,
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.execute(text(f"grant usage on schema {schema} to {readers}"))
    connection.execute(text(f"grant select on {schema}.alembic_version to {readers}"))
    connection.commit()
