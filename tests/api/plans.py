"""How PostgreSQL goes about what a running node asks of it: plans of statements, also of those inside of functions."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest
from asyncpg.exceptions import PostgresLogMessage

from tests.api.house import House
from tests.engines import TemporaryDatabase

EXPLAIN = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_format": "json",
    "auto_explain.log_level": "notice",
}


@dataclass
class Explained(House):
    """A node whose database tells the plan of every statement to whoever sent it."""

    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Statements and their plans, with the rows that each step met."""

    async def chat_database(self) -> TemporaryDatabase:
        """The shard's database, which explains what it does to every connection from now on."""
        database = await super().chat_database()
        connection = await database.connect()
        for name, value in EXPLAIN.items():
            await connection.execute(f"alter database \"{database.name}\" set {name} = '{value}'")
        await connection.close()
        return database

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Note the plans."""

        def hear(connection: Any, fields: dict[str, str], last_query: str) -> None:
            said = PostgresLogMessage.new(fields, query=last_query)
            _, found, plan = str(said).partition("plan:\n")
            if found:
                told = json.loads(plan)
                self.heard.append((" ".join(told["Query Text"].split()), told["Plan"]))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asyncpg.Connection, "_process_log_message", hear)
            yield

    def take(self) -> dict[str, dict[str, Any]]:
        """The plans since the last time, by statement. Those that touch no table of ours are left out."""
        said = {query: plan for query, plan in self.heard if any(map(_ours, nodes(plan)))}
        self.heard.clear()
        return said


def _ours(node: dict[str, Any]) -> bool:
    return not node.get("Relation Name", "pg_").startswith("pg_")


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All steps of a plan."""
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


def drawn(plan: dict[str, Any], depth: int = 0) -> Iterator[str]:
    """What each step is, of what, by which index; the inner ones indented."""
    table = f" of {plan['Relation Name']}" if "Relation Name" in plan else ""
    index = f" by {plan['Index Name']}" if "Index Name" in plan else ""
    yield f"{'  ' * depth}{plan['Node Type']}{table}{index}"
    for inner in plan.get("Plans", ()):
        yield from drawn(inner, depth + 1)


def rows_read(plan: dict[str, Any]) -> dict[str, int]:
    """How many rows were looked at, by table."""
    read: dict[str, int] = {}
    for node in nodes(plan):
        if node["Node Type"].endswith("Scan") and "Relation Name" in node:
            rows = node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
            read[node["Relation Name"]] = read.get(node["Relation Name"], 0) + round(rows)
    return read
