"""The edges of HTTP: methods, content types, encodings, sizes, and what a request line may hold."""

import asyncio
import gzip

import pytest

from data_plane.reference import openapi_document
from tests.api.house import House, Logs
from tests.api.wire import Answer, request

JSON = ("content-type", "application/json")


async def call(house: House, method: str, target: str, *headers: tuple[str, bytes | str], **body: object) -> Answer:
    """A call by the customer's server."""
    own = [("authorization", f"Bearer {house.tenant.secret_key}"), *headers]
    return await request(house.url, method, target, own, **body)  # type: ignore[arg-type]


def refused(answer: Answer, status: int, code: str, *words: str, field: str | None = None) -> None:
    """The problem document is right, and says these words."""
    problem = answer.problem
    assert (answer.status, problem.get("code")) == (status, code), str(answer)
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["cache-control"] == "no-store"
    assert problem.get("field") == field, problem
    for word in words:
        assert word in problem["detail"], problem


@pytest.mark.parametrize(
    ("method", "target", "allowed"),
    [
        ("PUT", "/v1/channels", "GET, HEAD, OPTIONS, POST"),
        ("POST", "/v1/channels/x", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("TRACE", "/v1/users/me", "GET, HEAD, OPTIONS, PATCH"),
        ("PROPFIND", "/v1/sync", "GET, HEAD, OPTIONS"),
        ("DELETE", "/v1/tokens", "OPTIONS, POST"),
        ("HEAD", "/v1/tokens", "OPTIONS, POST"),
    ],
)
async def test_a_method_that_is_not_there_is_answered_with_those_that_are(
    house: House, method: str, target: str, allowed: str
) -> None:
    answer = await call(house, method, target)
    assert (answer.status, answer.headers["allow"]) == (405, allowed)
    if method != "HEAD":
        refused(answer, 405, "method_not_allowed", "GET" if "GET" in allowed else "POST")


async def test_options_tells_the_methods(house: House) -> None:
    answer = await call(house, "OPTIONS", "/v1/channels/x/members/y")
    assert (answer.status, answer.headers["allow"]) == (204, "DELETE, OPTIONS, PATCH, PUT")


async def test_a_page_of_any_origin_may_ask_beforehand(house: House) -> None:
    asks = [("origin", "https://shop.example"), ("access-control-request-method", "POST")]
    asks += [("access-control-request-headers", "authorization,content-type,idempotency-key")]
    answer = await request(house.url, "OPTIONS", "/v1/channels", asks)
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "idempotency-key" in answer.headers["access-control-allow-headers"]


async def test_head_is_get_without_the_content(house: House) -> None:
    got, head = await call(house, "GET", "/v1/channels"), await call(house, "HEAD", "/v1/channels")
    assert (head.status, head.headers["content-length"], head.body) == (200, got.headers["content-length"], b"")
    assert (await call(house, "HEAD", "/v1/channels/nowhere")).status == 404


@pytest.mark.parametrize("kind", ["", "text/plain", "application/xml", "application/x-www-form-urlencoded", "{}"])
async def test_a_body_that_does_not_say_it_is_json_is_refused(house: House, kind: str) -> None:
    headers = [("content-type", kind)] if kind else []
    answer = await call(house, "POST", "/v1/channels", *headers, body=b"{}")
    refused(answer, 415, "unsupported_media_type", "application/json", field="Content-Type")


@pytest.mark.parametrize("kind", ["application/json; charset=utf-16", 'application/json;charset="latin-1"'])
async def test_json_is_utf_8(house: House, kind: str) -> None:
    answer = await call(house, "POST", "/v1/channels", ("content-type", kind), body=b"{}")
    refused(answer, 415, "unsupported_media_type", "UTF-8", field="Content-Type")


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON", "application/json; charset=UTF-8"])
async def test_json_may_say_so_in_any_way(house: House, kind: str) -> None:
    assert (await call(house, "POST", "/v1/channels", ("content-type", kind), body=b"{}")).status == 201


async def test_a_compressed_body_is_refused(house: House) -> None:
    body = gzip.compress(b"{}")
    answer = await call(house, "POST", "/v1/channels", JSON, ("content-encoding", "gzip"), body=body)
    refused(answer, 415, "unsupported_media_type", "Content-Encoding", field="Content-Encoding")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"name": "Den"', "line 1"),
        (b"{'name': 1}", "line 1"),
        (b'{"name": "\\ud800"}', "surrogate"),
        (b'{"name": "\\udc00\\ud800"}', "surrogate"),
        (b'{"name": "\xff"}', "UTF-8"),
        (b'{"custom": {"a": NaN}}', "line 1"),
        (b'{"custom": {"a": 1e400}}', "infinity"),
        (b'{"custom": {"a": ' + b"[" * 50_000 + b"]" * 50_000 + b"}}", "deep"),
        (b'{"name": "Den"} {}', "line 1"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b"\x00", "line 1"),
    ],
)
async def test_what_is_no_json_is_refused_with_the_place(house: House, body: bytes, words: str) -> None:
    refused(await call(house, "POST", "/v1/channels", JSON, body=body), 400, "malformed", words)


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        (b"[]", None, "object"),
        (b"null", None, "null"),
        (b'{"nmae": "Den"}', "nmae", "`name`"),
        (b'{"type": "party"}', "type", "`livestream`"),
        (b'{"type": "No Type"}', "type", "a-z"),
        (b'{"name": 5}', "name", "string or null"),
        (b'{"name": "' + b"x" * 201 + b'"}', "name", "200"),
        (b'{"members": ["ada", "b b"]}', "members[1]", "A-Z a-z 0-9"),
        (b'{"name": "a\\u0000b"}', "name", "NUL"),
        (b'{"custom": {"a": [{"b\\u0000": 1}]}}', "custom.a[0]", "NUL"),
        (b'{"custom": {"a": 1' + b"0" * 400 + b"}}", "custom", "64"),
        (b'{"custom": {"a": 18446744073709551616}}', "custom", "64"),
        (b'{"custom": {"a": 1e300}}', "custom", "number"),
        (b'{"custom": {"a": ' + b'{"a":' * 9 + b"1" + b"}" * 9 + b"}}", "custom", "8 levels"),
    ],
)
async def test_what_does_not_fit_is_named(house: House, body: bytes, field: str | None, words: str) -> None:
    refused(await call(house, "POST", "/v1/channels", JSON, body=body), 422, "invalid_input", words, field=field)


async def test_a_number_without_a_fraction_is_an_integer_however_it_is_written(house: House) -> None:
    body = b'{"user_id": "ada", "expires_in": 900.0}'
    assert (await call(house, "POST", "/v1/tokens", JSON, body=body)).status == 201
    answer = await call(house, "POST", "/v1/tokens", JSON, body=b'{"user_id": "ada", "expires_in": 900.5}')
    refused(answer, 422, "invalid_input", "integer", field="expires_in")


async def test_a_body_that_is_needed_and_missing_is_asked_for(house: House) -> None:
    refused(await call(house, "POST", "/v1/channels"), 422, "invalid_input", "JSON body", field="body")
    assert (await call(house, "POST", "/v1/channels/nowhere/leave", JSON, body=b"")).status == 403  # names no user


@pytest.mark.parametrize("chunks", [0, 40])
async def test_a_body_that_is_too_large_is_refused_however_it_comes(house: House, chunks: int) -> None:
    body = b'{"name": "' + b"x" * 300_000 + b'"}'
    refused(await call(house, "POST", "/v1/channels", JSON, body=body, chunks=chunks), 413, "too_large", "262,144")


async def test_a_body_in_pieces_is_a_body(house: House) -> None:
    answer = await call(house, "POST", "/v1/channels", JSON, body=b'{"name": "In pieces"}', chunks=7)
    assert answer.status == 201
    assert b"In pieces" in answer.body


async def test_a_client_that_hangs_up_within_its_body_is_no_defect(house: House, logs: Logs) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", house.node.port)
    head = f"POST /v1/channels HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {house.tenant.secret_key}\r\n"
    writer.write((head + "content-type: application/json\r\ncontent-length: 100\r\n\r\n{").encode())
    await asyncio.sleep(0.1)
    writer.close()
    await asyncio.sleep(0.2)
    del reader
    assert logs.failures == []


@pytest.mark.parametrize(
    ("query", "status", "field", "words"),
    [
        ("limt=5", 422, "limt", "`limit`"),
        ("limit=5&limit=5", 422, "limit", "twice"),
        ("limit=0", 422, "limit", "1"),
        ("limit=101", 422, "limit", "100"),
        ("limit=ten", 422, "limit", "integer"),
        ("limit=1.5", 422, "limit", "integer"),
        ("limit=NaN", 422, "limit", "integer"),
        ("limit=", 422, "limit", "integer"),
        ("limit=" + "9" * 5000, 422, "limit", "range"),
        ("cursor=%00", 422, "cursor", "NUL"),
        ("cursor=%zz", 400, "cursor", "%25"),
        ("cursor=%ff", 400, "cursor", "UTF-8"),
        ("cursor=%ed%a0%80", 400, "cursor", "UTF-8"),
        ("cursor=" + "x" * 201, 422, "cursor", "200"),
        ("cursor=nonsense", 422, "cursor", "next_cursor"),
        ("user_id=a%20b", 422, "user_id", "A-Z a-z 0-9"),
        ("%00=1", 422, "\x00", "NUL"),
    ],
)
async def test_a_query_that_cannot_be_meant_is_refused(
    house: House, query: str, status: int, field: str, words: str
) -> None:
    code = {400: "malformed", 422: "invalid_input"}[status]
    refused(await call(house, "GET", f"/v1/channels?{query}"), status, code, words, field=field)


@pytest.mark.parametrize("name", ["%00", "a%00b", "%ff", "%ed%a0%80", "%zz", "a%20b", "x" * 65, "%2e%2e%2e+"])
async def test_an_id_in_the_path_that_can_be_none_is_refused(house: House, name: str) -> None:
    answer = await call(house, "GET", f"/v1/channels/{name}")
    if "%00" in name:
        refused(answer, 422, "invalid_input", "NUL")
    else:
        refused(answer, 422, "invalid_input", "A-Z a-z 0-9", field="channel_id")
    refused(await call(house, "GET", "/v1/messages/msg_0"), 422, "invalid_input", "26", field="message_id")


@pytest.mark.parametrize("header", ["authorization", "content-type", "idempotency-key", "origin"])
async def test_a_header_that_contradicts_itself_is_refused(house: House, header: str) -> None:
    twice = [(header, "a"), (header, "b")]
    refused(await call(house, "POST", "/v1/channels", *twice, body=b"{}"), 400, "malformed", header, field=header)


@pytest.mark.parametrize("credential", [b"", b"Bearer", b"Bearer ", b"Basic YTpi", b"Bearer \xff\xfe", b"Bearer a b c"])
async def test_a_header_that_carries_no_credential_is_refused(house: House, credential: bytes) -> None:
    answer = await request(house.url, "GET", "/v1/channels", [("authorization", credential)])
    assert answer.status == 401, str(answer)
    assert answer.headers["www-authenticate"] == f'Bearer error="{answer.problem["code"]}"'


@pytest.mark.parametrize("given", [b"\xff", b"a b", b"x" * 65, b"<script>"])
async def test_a_request_id_that_could_do_harm_is_replaced(house: House, given: bytes) -> None:
    answer = await call(house, "GET", "/v1/channels", ("x-request-id", given))
    assert answer.headers["x-request-id"].startswith("req_")
    assert (await call(house, "GET", "/v1/channels", ("x-request-id", "mine-1"))).headers["x-request-id"] == "mine-1"


@pytest.mark.parametrize(
    "target", ["/", "/v1", "/v1/", "/v2/channels", "/v1/channels/a/b/c", "/v1/channels%2fx/y", "//"]
)
async def test_a_path_that_is_not_there_is_a_problem_document_too(house: House, target: str) -> None:
    refused(await call(house, "GET", target), 404, "not_found")


async def test_the_document_is_served_to_any_page_and_only_when_it_is_new(house: House) -> None:
    origin = ("origin", "https://anywhere.example")
    answer = await request(house.url, "GET", "/v1/openapi.json", [origin])
    assert (answer.status, answer.body) == (200, openapi_document())
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["content-type"] == "application/json"
    for known in (answer.headers["etag"], f'"other", W/{answer.headers["etag"]}', "*"):
        again = await request(house.url, "GET", "/v1/openapi.json", [origin, ("if-none-match", known)])
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", answer.headers["etag"])
    assert (await request(house.url, "GET", "/v1/openapi.json", [("if-none-match", '"other"')])).status == 200
