"""Run a whole SQL file inside a migration's transaction."""

from typing import Any

from sqlalchemy import Connection
from sqlalchemy.util import await_only


def execute_script(connection: Connection, script: str) -> None:
    """Send several statements as they are; prepared statements, which SQLAlchemy uses, take one command at a time."""
    connection.exec_driver_sql("select 1")  # opens the transaction, if nothing did before
    driver: Any = connection.connection.driver_connection
    await_only(driver.execute(script))
