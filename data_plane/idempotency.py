"""`Idempotency-Key`: the same POST again, after a lost answer, gets the first one's answer and does nothing.

The answer is a row of the same transaction as the work, so there is no moment at which one exists without the other.
Failures are not kept: nothing was done, and the retry may do better.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any, Final

import msgspec
import orjson
from litestar import Request, Response
from litestar.params import HeaderParameter
from sqlalchemy import text

from data_plane.identity.caller import Caller
from kernel.db import UnitOfWork
from kernel.errors import Conflict, InvalidInput

LIFETIME: Final = timedelta(hours=24)
"""How long an answer is kept for repeats."""
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description=f"For {LIFETIME.total_seconds() / 3600:g} hours the same key with the same request brings the "
        "first answer, and nothing is done again. A UUID is a good choice.",
        # Checked by `request_key`, whose message says more.
        schema_extra={"minLength": 1, "maxLength": 255, "pattern": "^[!-~]{1,255}$"},
    ),
]
"""The header on routes that take it, as `idempotency_key`."""

# Taken before any log, one a transaction, and without giving the transaction its id.
_LOCK: Final = text("select pg_advisory_xact_lock(hashtextextended(:name, 1))")
_FIND: Final = text(
    "select fingerprint, status, response from chat.idempotency_keys "
    "where app_id = :app and caller = :caller and key = :key and created_at > :oldest"
)
_KEEP: Final = text(
    "insert into chat.idempotency_keys (app_id, caller, key, fingerprint, status, response, created_at) "
    "values (:app, :caller, :key, :fingerprint, :status, cast(:response as jsonb), :now) "
    "on conflict (app_id, caller, key) do update set fingerprint = excluded.fingerprint, status = excluded.status, "
    "response = excluded.response, created_at = excluded.created_at"
)


class IdempotencyConflict(Conflict):
    """The key was used for a different request. Nothing was done; use a fresh key for each thing to do."""

    code = "idempotency_conflict"
    title = "The idempotency key belongs to another request"


class Answer(msgspec.Struct, frozen=True):
    """What a route answers: a status and a JSON object, null for no content. `replayed`: kept from the first time."""

    status: int
    body: Mapping[str, Any] | None
    replayed: bool = False

    def response(self) -> Response[bytes]:
        """The HTTP response; a repeat says so in `Idempotent-Replayed`."""
        headers = {"idempotent-replayed": "true"} if self.replayed else None
        content = b"" if self.body is None else orjson.dumps(self.body)
        return Response(content, status_code=self.status, media_type="application/json", headers=headers)


class RequestKey(msgspec.Struct, frozen=True):
    """A request's key and what the request says: a hash over method, path, query and body."""

    key: str
    fingerprint: str


async def request_key(request: Request[Any, Any, Any], key: str | None) -> RequestKey | None:
    """A request's key with its fingerprint; null when it has none. Raises `InvalidInput` for a malformed one."""
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise InvalidInput(
            "`Idempotency-Key` must be 1 to 255 visible ASCII characters; a UUID is a good choice.",
            field="Idempotency-Key",
        )
    said = sha256()
    query = request.scope.get("query_string") or b""
    for part in (request.method.encode(), request.url.path.encode(), query, await request.body()):
        said.update(len(part).to_bytes(8, "big") + part)
    return RequestKey(key, said.hexdigest())


async def once(
    uow: UnitOfWork,
    caller: Caller,
    key: RequestKey | None,
    now: datetime,
    work: Callable[[], Awaitable[Answer]],
) -> Answer:
    """Do the work unless the caller did it before under this key; then give the answer of that time.

    Two at once wait for each other. Without a key, just does the work. `work` writes within `uow`, which has not
    written before. Raises `IdempotencyConflict` when the key was used for another request.
    """
    if key is None:
        return await work()
    who = "server" if caller.user_id is None else f"user:{caller.user_id}"
    name = {"app": caller.app_id, "caller": who, "key": key.key}
    # No part holds a space, so no two names read the same.
    await uow.session.execute(_LOCK, {"name": f"{caller.app_id} {who} {key.key}"})
    kept = (await uow.session.execute(_FIND, name | {"oldest": now - LIFETIME})).one_or_none()
    if kept is not None:
        if kept.fingerprint != key.fingerprint:
            raise IdempotencyConflict()
        return Answer(kept.status, kept.response.get("body"), replayed=True)
    answer = await work()
    row = {
        "fingerprint": key.fingerprint,
        "status": answer.status,
        "response": orjson.dumps({"body": answer.body}).decode(),
        "now": now,
    }
    await uow.session.execute(_KEEP, name | row)
    return answer
