"""`openapi.json`: paths and parameters as Litestar reads them off the routes; types, problems, examples from us."""

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import orjson
from litestar import Litestar
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig

from control_plane.locate.routes import locate_app
from data_plane.features import REST
from data_plane.idempotency import LIFETIME
from data_plane.identity.authenticate import provide_caller, provide_reader
from data_plane.identity.errors import AnonymousRefused
from kernel.http.body import MAX_BODY_BYTES
from kernel.http.document import ASYNCAPI, OPENAPI, document_route
from kernel.http.operation import OPERATION, Operation, body_type, changes
from kernel.http.problems import Problem
from ops.reference.answers import ALWAYS, BODY, CALLER, CHANGES, HEADERS, NAMED, Responses
from ops.reference.schemas import Schemas, ecma
from ops.reference.text import fill

EXAMPLES: Final = Path(__file__).parents[2] / "docs" / "reference" / "rest-examples.json"
"""What a run said: `operations` by id, `problems` by code; `tests/api/test_examples.py` records it."""

TAGS: Final = {
    "Tokens": "User tokens, made and revoked by your server.",
    "Guests": "Users that nobody knows, let in by the publishable key.",
    "Users": "Profiles of your app's users. Everybody in the app may read them.",
    "Threads": "Replies to a message, and what is unread in them.",
    "Reactions": "What others feel about a message.",
    "Pins": "What a channel has pinned.",
    "Receipts": "How far users have read, what is unread, who has read a message.",
    "Custom events": "Events of your app's own, for who is there now.",
    "Presence": "Who is there, what users show of themselves, who watches a channel.",
    "Blocks": "Whom a user does not want to hear from.",
    "Channels": "Rooms with members, settings and a log of events.",
    "Members": "Who is in a channel, and as what.",
    "Invites": "Who is asked to become a member.",
    "Channel types and roles": "What roles may do in channels of a type. For your server.",
    "Messages": "Sending, history, editing, read positions.",
    "Limits": "How much a caller may do, and how much of it is left.",
    "Sync": "Catching up after having been away.",
    "Indexes": "Custom fields that queries filter and sort by at any size.",
    "Locate": "Finding the node that serves an app.",
    "Reference": "The description of this API.",
}
SECURITY: Final = {
    "secretKey": {
        "type": "http",
        "scheme": "bearer",
        "description": "A secret key, `sk_…`: for your server alone. It may do what its scopes allow, for any user.",
    },
    "publishableKey": {
        "type": "http",
        "scheme": "bearer",
        "description": "A publishable key, `pk_…`, alone: an anonymous visitor, where the app lets them in. It reads "
        "what the role `anonymous` may see.",
    },
    "userToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A user's access token, from `POST /v1/tokens` or signed by your server. It acts for that user.",
    },
}
MADE: Final = {
    "createChannel": ("channel_id", "/id"),
    "putUser": ("user_id", "/id"),
    "sendMessage": ("message_id", "/message/id"),
}
"""Operations that make something: the parameter that names it elsewhere, and where the answer holds it."""
NODE: Final = {
    "url": "{app}",
    "description": "Your app's `url`, as `GET /v1/locate` tells it.",
    "variables": {"app": {"default": "http://127.0.0.1:8100", "description": "Without a slash at the end."}},
}
CONTROL: Final = {
    "url": "{portal}",
    "description": "The installation's portal.",
    "variables": {"portal": {"default": "http://127.0.0.1:8000", "description": "Without a slash at the end."}},
}


def openapi_json() -> str:
    """The document, as the file holds it."""
    return orjson.dumps(document(), option=orjson.OPT_INDENT_2).decode() + "\n"


def document() -> dict[str, Any]:
    """The document."""
    routes = [*_handlers(), locate_app, document_route(OPENAPI, b""), document_route(ASYNCAPI, b"")]
    said = orjson.loads(EXAMPLES.read_bytes())
    schemas = Schemas(_types(routes))
    responses = Responses(schemas, said["problems"])
    by_id = {str(route.operation_id): route for route in routes}
    paths: dict[str, Any] = {}
    for path, item in _skeleton(routes).items():
        for method, drawn in item.items():
            route, told = by_id[drawn["operationId"]], said["operations"].get(drawn["operationId"], {})
            paths.setdefault(path, {})[method] = _operation(route, drawn, schemas, responses, told)
    _link(paths)
    paths["/v1/locate"]["servers"] = [CONTROL]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Natter",
            "version": version("natter"),
            "summary": "Chat for your product: users, channels, messages that are never lost.",
            "description": fill(
                "openapi.md", hours=int(LIFETIME.total_seconds() // 3600), body=f"{MAX_BODY_BYTES:,}"
            ).strip(),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [NODE],
        "tags": [{"name": name, "description": words} for name, words in TAGS.items()],
        "paths": paths,
        "components": {
            "securitySchemes": SECURITY,
            "schemas": schemas.components,
            "responses": responses.components,
            "headers": HEADERS,
            "examples": {code: {"value": problem} for code, problem in said["problems"].items()},
        },
    }


def _handlers() -> Iterator[HTTPRouteHandler]:
    return (route for route in REST if isinstance(route, HTTPRouteHandler))


def _skeleton(routes: list[HTTPRouteHandler]) -> dict[str, Any]:
    """Litestar's view of the routes: what it knows of paths, parameters, ids, tags and words."""
    names = (
        "shard",
        "authenticator",
        "activity",
        "tokens",
        "send_service",
        "sync_service",
        "grants",
        "presence",
        "receipts",
        "custom_events",
        "guests",
        "limiter",
        "deps",
    )
    app = Litestar(
        route_handlers=routes,
        dependencies={name: Provide(lambda: None, sync_to_thread=False) for name in names}
        | {"caller": Provide(provide_caller), "reader": Provide(provide_reader)},
        openapi_config=OpenAPIConfig(title="", version="", use_handler_docstrings=True),
        logging_config=None,
    )
    paths: dict[str, Any] = app.openapi_schema.to_schema()["paths"]
    return {path: paths[path] for path in paths if path.startswith("/v1/")}


def _types(routes: list[HTTPRouteHandler]) -> Iterator[Any]:
    yield Problem
    for route in routes:
        if (body := body_type(route)) is not None:
            yield body
        for answer in _told(route).answers:
            yield from answer.body if isinstance(answer.body, tuple) else [answer.body] if answer.body else []


def _told(route: HTTPRouteHandler) -> Operation:
    operation: Operation = route.opt[OPERATION]
    return operation


def _operation(
    route: HTTPRouteHandler, drawn: dict[str, Any], schemas: Schemas, responses: Responses, said: dict[str, Any]
) -> dict[str, Any]:
    errors = [*ALWAYS]
    operation: dict[str, Any] = {
        key: drawn[key] for key in ("operationId", "tags", "summary", "description", "security") if key in drawn
    }
    parameters = [_parameter(parameter, said.get("parameters", {})) for parameter in drawn.get("parameters", [])]
    if parameters:
        operation["parameters"] = parameters
    if "caller" in route.parsed_fn_signature.parameters:
        errors += [*CALLER, AnonymousRefused]
        if changes(route):
            errors += CHANGES
    elif "reader" in route.parsed_fn_signature.parameters:
        errors += CALLER
    if {"channel_id", "message_id"} & {parameter["name"] for parameter in parameters if parameter["in"] == "path"}:
        errors += NAMED
    if (body := body_type(route)) is not None:
        errors += BODY
        media = {"schema": schemas.of(body)}
        if "body" in said:
            media["examples"] = {"recorded": {"value": said["body"]}}
        assert route.parsed_data_field is not None
        operation["requestBody"] = {
            "required": not route.parsed_data_field.is_optional,
            "content": {"application/json": media},
        }
    operation["responses"] = responses.of(_told(route), errors, said=said.get("answers", {}))
    if any(parameter["name"] == "Idempotency-Key" for parameter in parameters):
        for status, answer in operation["responses"].items():
            if status < "3":
                answer["headers"]["Idempotent-Replayed"] = {"$ref": "#/components/headers/Idempotent-Replayed"}
    return operation


def _link(paths: dict[str, Any]) -> None:
    """Say where what was made now can be used."""
    operations = [operation for item in paths.values() for operation in item.values()]
    for operation in operations:
        parameter, pointer = MADE.get(operation["operationId"], ("", ""))
        targets = [
            target["operationId"]
            for target in operations
            if any(given["name"] == parameter and given["in"] == "path" for given in target.get("parameters", ()))
        ]
        if targets:
            parameters = {parameter: f"$response.body#{pointer}"}
            operation["responses"]["201"]["links"] = {
                target: {"operationId": target, "parameters": parameters} for target in targets
            }
        if operation["operationId"] == "mintTokens":
            body = {"refresh_token": "$response.body#/refresh_token"}
            operation["responses"]["201"]["links"] = {
                "refreshTokens": {"operationId": "refreshTokens", "requestBody": body}
            }


def _parameter(drawn: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """A parameter is text, so it is never null: it is left out."""
    schema = dict(drawn["schema"])
    for one in schema.pop("oneOf", []):
        schema |= {} if one == {"type": "null"} else one
    for key, value in schema.items():
        if isinstance(value, float) and value.is_integer():
            schema[key] = int(value)
    schema.pop("description", None)
    if "pattern" in schema:
        schema["pattern"] = ecma(schema["pattern"])
    parameter = {"name": drawn["name"], "in": drawn["in"], "required": drawn["required"]}
    if drawn.get("description"):
        parameter["description"] = drawn["description"]
    parameter["schema"] = schema
    if drawn["name"] in said:
        parameter["example"] = said[drawn["name"]]
    return parameter
