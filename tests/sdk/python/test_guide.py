"""The code of `docs/guides/python.md`, block after block, and each of its webhook endpoints with real deliveries."""

import asyncio
import base64
import hashlib
import hmac
import inspect
import sys
import time
import types
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clients.installation import Tenant
from tests.docs.test_guides import blocks

PAGE = Path(__file__).parents[3] / "docs" / "guides" / "python.md"
SECRET = "whsec_" + base64.b64encode(b"a secret of twenty-four bytes").decode()


def delivery(event_id: str, body: bytes, *, secret: str = SECRET) -> dict[str, str]:
    """The headers of a delivery that is made now."""
    at, key = str(int(time.time())), base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.digest(key, f"{event_id}.{at}.".encode() + body, hashlib.sha256)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": at,
        "webhook-signature": "v1," + base64.b64encode(signed).decode(),
    }


async def deliver(app: Any, event_id: str, headers: dict[str, str], body: bytes) -> int:
    """What the endpoint answers."""
    if inspect.isfunction(app) or hasattr(app, "wsgi_app"):
        with httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://shop") as client:
            return client.post("/webhooks/natter", headers=headers, content=body).status_code
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://shop") as http:
        return (await http.post("/webhooks/natter", headers=headers, content=body)).status_code


async def test_the_guides_code_runs_and_its_endpoints_take_what_is_signed(
    tenant: Tenant, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tenant.snapshot.signing_keys[0]
    module = types.ModuleType("guide")  # where Litestar looks the handlers' annotations up
    monkeypatch.setitem(sys.modules, "guide", module)
    given = vars(module)
    given |= {
        "URL": url,
        "SECRET_KEY": tenant.secret_key,
        "APP_ID": tenant.snapshot.app_id,
        "SIGNING_KID": key.kid,
        "SIGNING_SECRET": key.key,
        "WEBHOOK_SECRET": SECRET,
    }
    body, tried, kinds = b'{"type": "message.created"}', [], []
    for block in blocks(PAGE.read_text()):
        code = compile(block, str(PAGE), "exec")
        app = given.pop("app", None)
        await asyncio.to_thread(exec, code, given)
        app = given.get("app")
        if app is not None:
            name = f"evt_{len(tried)}"
            good = delivery(name, body)
            assert await deliver(app, name, good, body) == 204
            assert await deliver(app, name, good, body + b" ") == 400
            assert await deliver(app, name, {}, body) == 400
            assert given["handled"] == [*tried, name]
            tried.append(name)
            kinds.append(type(app).__name__)
    assert kinds == ["Litestar", "FastAPI", "Flask", "function"]
