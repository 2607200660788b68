"""PostgreSQL: connections under a role, and the unit of work."""

from kernel.db.database import Database, asyncpg_url, sqlalchemy_url
from kernel.db.uow import UnitOfWork

__all__ = ["Database", "UnitOfWork", "asyncpg_url", "sqlalchemy_url"]
