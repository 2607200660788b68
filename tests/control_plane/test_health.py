"""What a load balancer and Prometheus ask."""

import dataclasses

from kernel.db import Database
from tests.control_plane.fixtures import World


async def test_a_healthy_process_is_ready_and_counts(world: World) -> None:
    async with world.serve() as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        assert (await client.get("/readyz")).json() == {"status": "ready"}
        assert "natter_usage_rows_total" in (await client.get("/metrics")).text


async def test_without_its_database_it_is_up_and_not_ready(world: World) -> None:
    database = Database("postgresql://nobody:x@127.0.0.1:1/none")
    async with world.serve(dataclasses.replace(world.deps, database=database)) as client:
        assert (await client.get("/healthz")).status_code == 200
        answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert "not reachable" in answer.json()["detail"]
        assert (await client.get("/v1/locate", params={"key": "pk_" + "0" * 39})).status_code in (404, 503)
    await database.close()
