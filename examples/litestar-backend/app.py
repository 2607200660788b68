"""A backend that signs people in and gives their apps what they chat with.

NATTER_URL=… NATTER_SECRET_KEY=sk_… NATTER_PUBLISHABLE_KEY=pk_… python app.py
"""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from litestar import Litestar, Request, get, post
from litestar.datastructures import Cookie
from litestar.exceptions import NotAuthorizedException
from litestar.response import Response

from natter import AsyncNatter

CHANNEL = "lobby"
SESSION = "shop_session"


@dataclass
class SignIn:
    """Who comes. A real shop would ask for a password."""

    user_id: str
    name: str


@asynccontextmanager
async def chat(app: Litestar) -> AsyncIterator[None]:
    """One client for the life of the process, and the channel that everybody is in."""
    url, secret_key = os.environ["NATTER_URL"], os.environ["NATTER_SECRET_KEY"]
    async with AsyncNatter(secret_key, url=url, user_agent="shop/1") as natter:
        await natter.channels.create(id=CHANNEL, name="Lobby")  # the very same again is no error
        app.state.natter, app.state.sessions = natter, {}
        yield


@post("/session", status_code=204)
async def sign_in(data: SignIn, request: Request[Any, Any, Any]) -> Response[None]:
    """Sign in: the shop's own session is a cookie, and the person is a member of the lobby."""
    state = request.app.state
    natter: AsyncNatter = state.natter
    await natter.users.upsert([{"id": data.user_id, "name": data.name}])
    await natter.members.add(CHANNEL, user_ids=[data.user_id])
    session = secrets.token_urlsafe()
    state.sessions[session] = data.user_id
    secure = os.environ.get("SHOP_URL", "").startswith("https:")
    cookie = Cookie(key=SESSION, value=session, httponly=True, samesite="lax", secure=secure)
    return Response(None, cookies=[cookie])


@post("/chat/token", status_code=200)
async def token(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """What the token provider of the person's app asks for: again whenever a token is about to end."""
    state = request.app.state
    user_id = state.sessions.get(request.cookies.get(SESSION))
    if user_id is None:
        raise NotAuthorizedException("Sign in first.")
    pair = await state.natter.tokens.create(user_id)
    return {
        "url": os.environ["NATTER_URL"],
        "key": os.environ.get("NATTER_PUBLISHABLE_KEY"),
        "channel_id": CHANNEL,
        "user_id": user_id,
        "token": pair.access_token,
        "expires_at": pair.expires_at,
    }


@get("/health")
async def health() -> dict[str, str]:
    """It serves."""
    return {"status": "ok"}


app = Litestar([sign_in, token, health], lifespan=[chat])

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8200")))
