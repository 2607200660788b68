"""`docs/guides/limits.md`: its code runs as printed, and its table is the one in the code."""

import asyncio
import contextlib
import io
import re
from pathlib import Path

import pytest

from data_plane.limits.policies import POLICIES
from kernel.contracts import RateLimit
from tests.clients.installation import Installation

GUIDE = (Path(__file__).parents[3] / "docs" / "guides" / "limits.md").read_text()
CODE = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


async def test_its_code_runs_as_printed(installation: Installation) -> None:
    tenant = await installation.tenant(limits=(RateLimit(policy="messages.user", per_second=5, burst=3),))
    await tenant.channel("general", "ada")
    names = {"URL": installation.nodes[0].url, "SECRET_KEY": tenant.secret_key, "TOKEN": tenant.token("ada")}
    said = io.StringIO()

    def run() -> None:
        with contextlib.redirect_stdout(said):
            exec(compile("\n".join(CODE), "limits.md", "exec"), names)

    await asyncio.to_thread(run)
    lines = said.getvalue().splitlines()
    assert "messages.user: 3 of 3 left, 5 a second come back" in lines
    assert "['messages.app', 'requests.app', 'tokens.app', 'guests.app', 'visitors.app']" in lines
    assert "rate_limited messages.user ['messages.user']" in lines
    page = await tenant.http.get("/v1/channels/general/messages")
    assert [message["text"] for message in page.json()["messages"]] == [f"message {n}" for n in range(5)]
    await tenant.close()


def test_its_table_is_the_codes() -> None:
    told = {
        name: (int(burst.replace(",", "")), int(each.replace(",", "")))
        for name, burst, each in re.findall(r"^\| `([a-z.]+)` \|.*\| ([0-9,]+) \| ([0-9,]+) \|$", GUIDE, re.MULTILINE)
    }
    assert told.pop("locate.ip") == (1_000, 50)
    assert told == {policy.name: (policy.rate.burst, round(policy.rate.per_second)) for policy in POLICIES}


@pytest.mark.parametrize("policy", [policy for policy in POLICIES if policy.exact], ids=lambda policy: policy.name)
def test_it_names_what_is_exact(policy: object) -> None:
    assert f"`{getattr(policy, 'name', '')}`" in GUIDE.partition("are\nexact")[0].rpartition("together.")[2]
