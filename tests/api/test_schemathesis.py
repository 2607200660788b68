"""schemathesis against a node over a real socket: examples, coverage, fuzzing and stateful phases, all checks.

Its findings are mended in the product. What it may not expect is in `MORE_THAN_A_SCHEMA_SAYS`, each with the reason.
"""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from litestar import Litestar, get

from data_plane.reference import FILE, openapi_document
from kernel.contracts import LIMITED, RateLimit
from tests.api.house import House, Logs, Served, bearer
from tests.api.test_examples import BYE, HELLO, REPLY
from tests.clients.installation import Tenant

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
EXAMPLES_AN_OPERATION = 7
EXAMPLES_AS_A_USER = 4
"""Fewer: the schemas are those that the server's run has tried, and only who asks is another."""

_FREE_FORM = "`custom` and attachments are free, within limits on bytes, depth and numbers that JSON Schema cannot say"
_USERS = "users that are named must exist, which is answered with 422 `unknown_users`"
_CURSOR = "a cursor is opaque: its form is no promise, and only one that was given out is taken back"
_FILTER = f"a filter is a language of its own, refused with 422 `bad_filter` by the place in it; {_CURSOR}"
MORE_THAN_A_SCHEMA_SAYS = {
    "upsertUsers": f"no id comes twice in a batch, and {_FREE_FORM}",
    "putUser": _FREE_FORM,
    "updateUsers": f"the same, and {_USERS}",
    "queryUsers": _FILTER,
    "queryChannels": _FILTER,
    "queryMembers": _FILTER,
    "blockUser": f"nobody blocks itself, and {_USERS}",
    "updateUser": _FREE_FORM,
    "updateMe": _FREE_FORM,
    "createChannel": f"a direct channel has two members, {_USERS}, and {_FREE_FORM}",
    "updateChannel": _FREE_FORM,
    "putChannelType": "roles that are named must exist",
    "listChannels": _CURSOR,
    "listMembers": _CURSOR,
    "sync": _CURSOR,
    "addMembers": _USERS,
    "arrangeChannel": f"what is pinned and until when it is muted, JSON Schema cannot say, and {_USERS}",
    "putMember": _USERS,
    "sendMessage": f"a message needs text that is not blank or an attachment, its author exists, "
    f"what it answers or quotes is of the channel, and {_FREE_FORM}",
    "editMessage": f"the same, and {_USERS}",
    "deleteMessage": _USERS,
    "restoreMessage": _USERS,
    "sendEvent": f"{_USERS}, and {_FREE_FORM}",
    "sendUserEvent": _FREE_FORM,
    "listVersions": _CURSOR,
    "listReplies": "one of `before`, `after` and `around` is given, not two",
    "listThreads": _CURSOR,
    "addReaction": f"what an emoji is, JSON Schema cannot say, and {_USERS}",
    "removeReaction": f"the same, and {_USERS}",
    "listReactions": f"the same, and {_CURSOR}",
    "pinMessage": f"a pin ends in the future, and {_USERS}",
    "unpinMessage": _USERS,
    "listMessages": "one of `before`, `after` and `around` is given, not two",
    "listReceipts": _CURSOR,
    "listReaders": _CURSOR,
    "listWatchers": _CURSOR,
    "getUnread": _CURSOR,
    "markDelivered": "`number` or `message_id` is given, not both",
    "markUnread": "`number` or `message_id` is given, not both and not none",
    "queryPresence": _USERS,
    "putPresence": "`text_expires_at` belongs to a `text`, and is to come",
    "updateMember": _FREE_FORM,
    "inviteMembers": _USERS,
    "listChannelInvites": _CURSOR,
    "listInvites": _CURSOR,
    "truncateChannel": "`before` or `before_time` is given, not both",
    "markRead": "`number` or `message_id` is given, not both",
}
"""Operations whose valid requests may be refused with 422, for `sync` with 400, and why. All other checks stay."""
LEAVING = ("leaveChannel", "removeMember")
"""Not between the steps of a story: whoever left a channel rightly finds it no more, which looks like a loss."""
INVITED_ONCE = ("acceptInvite", "rejectInvite", "revokeInvite")
STATELESS = "examples,coverage,fuzzing"
TOKENS = ("--include-path-regex", "^/v1/tokens(/refresh)?$")
CALM = ("--include-tag", "Messages", "--include-tag", "Members", "--include-tag", "Pins")


def for_servers_too() -> list[str]:
    """Operations that a secret key may call, whoever else may."""
    document = orjson.loads(openapi_document())
    operations = [each for item in document["paths"].values() for each in item.values() if isinstance(each, dict)]
    return [each["operationId"] for each in operations if {"secretKey": []} in each["security"]]


def configuration(url: str, credential: str, examples: int, covered: Iterable[str]) -> str:
    """The run's `schemathesis.toml`. `covered` are operations whose coverage phase another run has."""
    lines = [
        f'base-url = "{url}"',
        "[generation]",
        "deterministic = true",
        'database = "none"',
        f"max-examples = {examples}",
        # A NUL is refused in every text, which the schemas do not repeat; `test_sweep.py` tries it everywhere.
        "allow-x00 = false",
        "[cache]",
        "enabled = false",
        "[phases.coverage]",
        "generate-duplicate-query-parameters = true",
        "[auth.openapi]",
        f'secretKey = {{ bearer = "{credential}" }}',
        f'userToken = {{ bearer = "{credential}" }}',
        f'publishableKey = {{ bearer = "{credential}" }}',
    ]
    for operation in MORE_THAN_A_SCHEMA_SAYS:
        refusal = 400 if operation == "sync" else 422
        lines += ["[[operations]]", f'include-operation-id = "{operation}"']
        lines += [f'checks.positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 404, 409, {refusal}]']
    for phase, operations in (("stateful", LEAVING), ("coverage", covered)):
        for operation in operations:
            lines += ["[[operations]]", f'include-operation-id = "{operation}"', f"phases.{phase}.enabled = false"]
    return "\n".join(lines)


@contextmanager
def run(
    folder: Path,
    name: str,
    url: str,
    credential: str,
    *filters: str,
    phases: str = STATELESS + ",stateful",
    examples: int = EXAMPLES_AN_OPERATION,
    covered: Iterable[str] = (),
) -> Iterator["subprocess.Popen[str]"]:
    """A run with all checks."""
    settings = folder / f"{name}.toml"
    settings.write_text(configuration(url, credential, examples, covered))
    command = [str(SCHEMATHESIS), "--config-file", str(settings), "run", str(FILE), "--phases"]
    command += [phases, "--checks", "all", *filters]
    with subprocess.Popen(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            yield process
        finally:
            process.kill()


def furnish(house: House, tenant: Tenant) -> None:
    """What the document's examples speak of."""
    with httpx.Client(base_url=house.url, headers=bearer(tenant.secret_key), trust_env=False) as http:

        def post(path: str, **body: Any) -> None:
            assert http.post(path, json=body).is_success

        post("/v1/users", users=[{"id": user} for user in ("ada", "grace", "edsger", "barbara")])
        post("/v1/channels", id="general", members=["grace"], user_id="ada")
        for message_id in (HELLO, BYE):
            post("/v1/channels/general/messages", id=message_id, text="Hello", user_id="ada")
        post("/v1/channels/general/messages", id=REPLY, text="Hello", user_id="ada", thread_id=HELLO)


@pytest.mark.timeout(600)
def test_schemathesis_finds_nothing(house: House, logs: Logs, tmp_path: Path) -> None:
    # Each with an app of its own, because a server's run may well revoke the other's token.
    wide = tuple(RateLimit(policy=policy, per_second=10_000, burst=10_000) for policy in LIMITED)
    tenants = [house.run(house.installation.tenant(limits=wide)) for _ in range(3)]
    for tenant in tenants:
        furnish(house, tenant)
    server, user, calm = tenants
    token = house.token(user, "ada", lifetime=timedelta(hours=4))
    node = ["--exclude-path", "/v1/locate"]
    # A body at its limits is refused before anybody asks who sent it: each operation's are tried by who may call it.
    as_user: dict[str, Any] = {"examples": EXAMPLES_AS_A_USER, "covered": for_servers_too()}
    with (
        run(tmp_path, "server", house.url, server.secret_key, *node) as first,
        run(tmp_path, "user", house.url, token, *node, **as_user) as second,
    ):
        finds_nothing(first)
        finds_nothing(second)
    # One after the other: five processes on two cores take a third more of them than two do.
    # Where nobody deletes the channel beneath them.
    with run(tmp_path, "calm", house.url, calm.secret_key, *CALM, phases=STATELESS) as process:
        finds_nothing(process)
    # A refresh needs a token from the step before, which a story about everything seldom gets to.
    with run(tmp_path, "tokens", house.url, calm.secret_key, *TOKENS, phases=STATELESS + ",stateful") as process:
        finds_nothing(process)
    locate = ("--include-path", "/v1/locate")
    with run(tmp_path, "locate", house.control_url, "none", *locate, phases=STATELESS) as process:
        finds_nothing(process)
    assert logs.failures == []
    assert unheard(logs) == set()
    for tenant in tenants:
        house.run(tenant.close())
    assert house.run(torn_logs(house)) == []


def finds_nothing(process: "subprocess.Popen[str]") -> None:
    """Wait until a run has been through its phases without a finding."""
    said, _ = process.communicate(timeout=520)
    assert process.returncode == 0, said
    assert all(f"{phase} (in" in said for phase in ("Examples", "Coverage", "Fuzzing")), said


def unheard(logs: Logs) -> set[str]:
    """Operations that never did what they are for, so that nothing was seen of it."""
    document = orjson.loads(openapi_document())
    known = [
        (operation["operationId"], method.upper(), re.compile(re.sub(r"\{\w+\}", "[^/]+", path)))
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "servers"
    ]
    heard = set()
    for line in logs.lines:
        if line["event"] == "http.request" and line["status"] < 300:
            # `/v1/users/me` is also what the pattern of `/v1/users/{user_id}` fits, so the first that is meant counts.
            fits = [name for name, method, path in known if method == line["method"] and path.fullmatch(line["path"])]
            heard |= {name for name in fits if name.endswith("Me") or not line["path"].endswith("/me")}
    # A live node is what `locate` tells of, and this installation's does not know the control plane. A server must name
    # the user whose reaction it takes back, in a query that is no part of the recorded example; `test_reactions` does.
    # Chance does not find the publishable key that a guest needs; `test_examples` gives it.
    # An invite can be answered or taken back once, and not both; the tests of invites do each.
    return {name for name, _, _ in known} - heard - {"locate", "removeReaction", "createGuest", *INVITED_ONCE}


async def torn_logs(house: House) -> list[str]:
    """Logs whose entries do not count from 1 to their head without a gap."""
    connection = await house.chat.connect()
    rows = await connection.fetch(
        """
        select h.log from chat.log_heads h left join (
            select app_id, log, count(*) as entries, max(seq) as last from (
                select app_id, log, seq from chat.events
                union all select app_id, 'c:' || channel_id, seq from chat.messages where seq > 0 -- replies are events
            ) entry group by app_id, log
        ) e using (app_id, log) where h.last_seq is distinct from coalesce(e.entries, 0)
            or h.last_seq is distinct from coalesce(e.last, 0)
        """
    )
    await connection.close()
    return [row["log"] for row in rows]


@get("/v1/users/me")
async def forgetful() -> dict[str, str]:
    """Asks nobody for a credential and forgets most of the answer."""
    return {"id": "ada"}


@pytest.mark.timeout(120)
def test_schemathesis_would_notice(house: House, tmp_path: Path) -> None:
    async def serve() -> Served:
        return await house.serve(Litestar([forgetful], logging_config=None))

    bad = house.run(serve())
    with run(tmp_path, "planted", bad.url, "none", "--include-operation-id", "getMe") as process:
        said, _ = process.communicate(timeout=100)
    assert process.returncode == 1, said
    for finding in ("Response violates schema", "without authentication"):
        assert finding in said, said


def test_every_exclusion_names_an_operation() -> None:
    document = orjson.loads(openapi_document())
    known = {operation.get("operationId") for item in document["paths"].values() for operation in item.values()
             if isinstance(operation, dict)}  # fmt: skip
    assert {*MORE_THAN_A_SCHEMA_SAYS, *LEAVING} <= known
