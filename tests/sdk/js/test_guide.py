"""The code in `docs/guides/javascript.md` runs, block after block, with the packed package, against a real node."""

import asyncio
import json
import re
import subprocess
from pathlib import Path

from tests.clients import node_packages
from tests.clients.installation import Tenant

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "javascript.md"
_BLOCK = re.compile(r"^```js\n(.*?)^```$", re.DOTALL | re.MULTILINE)


async def test_the_guides_code_runs(project: Path, tenant: Tenant) -> None:
    text = GUIDE.read_text()
    given = {"SECRET_KEY": tenant.secret_key, "PUBLISHABLE_KEY": tenant.publishable_key}
    given["URL"] = str(tenant.http.base_url).rstrip("/")
    lines = "".join(f"const {name} = {json.dumps(value)};" for name, value in given.items())
    # As many empty lines before each block as make errors name the guide's line.
    script = lines
    for found in _BLOCK.finditer(text):
        script += "\n" * (text[: found.start(1)].count("\n") - script.count("\n")) + found[1]
    (project / "guide.mjs").write_text(script)
    await tenant.post("/v1/users", users=[{"id": "alice"}, {"id": "bob"}])
    command = [node_packages.NODE, "guide.mjs"]
    run = await asyncio.to_thread(
        subprocess.run, command, cwd=project, capture_output=True, text=True, check=False, timeout=60
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == "edit permission_missing\n"
