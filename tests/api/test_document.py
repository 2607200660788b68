"""`openapi.json` is a valid OpenAPI 3.1 document, tells of every public route, and its examples are true to it."""

import copy
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import schemathesis
from jsonschema import Draft202012Validator, FormatChecker
from litestar.routes import HTTPRoute
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from data_plane.reference import openapi_document
from ops.reference.errors import public_errors
from tests.api.house import House

FOR_OPERATORS = {"/healthz", "/readyz", "/metrics"}
"""Served by a node, and no part of the API."""

DOCUMENTS = ("getDescription", "getEventDescription")
"""Whose answers are the documents themselves."""
Document = dict[str, Any]


@pytest.fixture
def document() -> Document:
    """As it is served."""
    found: Document = orjson.loads(openapi_document())
    return found


def operations(document: Document) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method, operation."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "servers":
                yield path, method, operation


def parts(value: Any, where: str = "#") -> Iterator[tuple[str, Any]]:
    """Every value inside, with its place."""
    yield where, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from parts(item, f"{where}/{str(key).replace('~', '~0').replace('/', '~1')}")


def resolve(document: Document, value: dict[str, Any]) -> Any:
    """What a reference stands for."""
    while "$ref" in value:
        found: Any = document
        for step in value["$ref"].removeprefix("#/").split("/"):
            found = found[step.replace("~1", "/").replace("~0", "~")]
        value = found
    return value


def check(document: Document) -> None:
    """Against the specification's own schema."""
    schemathesis.openapi.from_dict(document).validate()


def test_it_is_valid(document: Document) -> None:
    assert document["openapi"].startswith("3.1.")
    check(document)
    broken = copy.deepcopy(document)
    del broken["paths"]["/v1/sync"]["get"]["responses"]["200"]["description"]
    with pytest.raises(Exception, match="description"):
        check(broken)


def test_its_references_lead_somewhere_and_nothing_is_left_over(document: Document) -> None:
    used = {value["$ref"] for _, value in parts(document) if isinstance(value, dict) and "$ref" in value}
    for reference in used:
        resolve(document, {"$ref": reference})
    kept = {f"#/components/{kind}/{name}" for kind, items in document["components"].items() for name in items}
    assert {name for name in kept - used if "/securitySchemes/" not in name} == set()
    assert not [place for place, _ in parts(document) if "/x-" in place and "/examples/" not in place]


def test_every_operation_is_told_in_full(document: Document) -> None:
    seen = set()
    tags = {tag["name"] for tag in document["tags"]}
    for path, _, operation in operations(document):
        seen.add(operation["operationId"])
        assert operation["summary"] and operation["description"] and operation["security"], operation["operationId"]
        assert set(operation["tags"]) <= tags and len(operation["tags"]) == 1
        given = {parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "path"}
        assert given == {step[1:-1] for step in path.split("/") if step.startswith("{")}
        assert all(parameter.get("description") for parameter in operation.get("parameters", ()))
        assert {"400", "422", "500", "503"} <= set(operation["responses"])
        for response in operation["responses"].values():
            assert "X-Request-Id" in resolve(document, response)["headers"]
    assert len(seen) == len(list(operations(document)))


def test_waits_are_told_in_a_header(document: Document) -> None:
    for name, response in document["components"]["responses"].items():
        status = response["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]["status"]["const"]
        assert ("Retry-After" in response["headers"]) == (status in (429, 503)), name


def test_no_answer_is_just_any_object(document: Document) -> None:
    for _, _, operation in operations(document):
        for status, response in operation["responses"].items():
            for media in resolve(document, response).get("content", {}).values():
                schema = resolve(document, media["schema"])
                told = [resolve(document, one) for one in schema.get("oneOf", schema.get("allOf", [schema]))]
                if operation["operationId"] not in DOCUMENTS or status != "200":
                    assert all(one.get("properties") for one in told), (operation["operationId"], status)


def test_every_code_is_one_of_the_error_table(document: Document) -> None:
    known = {error.code for error in public_errors()}
    for name, response in document["components"]["responses"].items():
        codes = response["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]["code"]["enum"]
        assert codes and set(codes) <= known, name


def test_every_public_route_of_a_running_node_is_in_it(house: House, document: Document) -> None:
    served = set()
    for route in house.node.node.rest.routes:
        if isinstance(route, HTTPRoute) and route.path not in FOR_OPERATORS:
            served |= {(route.path_format, method.lower()) for method in route.methods if method != "OPTIONS"}
    told = {(path, method) for path, method, _ in operations(document)}
    assert told - served == {("/v1/locate", "get")}
    assert served - told == set()
    assert ("/v1/locate", "GET") in {(r.path, m) for r in house.management.routes for m in getattr(r, "methods", ())}


def examples(document: Document) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Every recorded value, where it stands and the schema that it must fit."""
    for _, _, operation in operations(document):
        name = operation["operationId"]
        for parameter in operation.get("parameters", ()):
            if "example" in parameter:
                yield f"{name} {parameter['name']}", parameter["schema"], parameter["example"]
        bodies = {"body": operation.get("requestBody", {})} | operation["responses"]
        for place, told in bodies.items():
            for media in resolve(document, told).get("content", {}).values():
                for example in media.get("examples", {}).values():
                    yield f"{name} {place}", media["schema"], resolve(document, example)["value"]


def errors_of(document: Document, schema: dict[str, Any], value: Any) -> list[str]:
    """What is wrong with a value, by JSON Schema 2020-12, formats included."""
    resource = DRAFT202012.create_resource({**document, "$id": "urn:api"})
    rooted = {"$id": "urn:api:part", **_absolute(schema)}
    validator = Draft202012Validator(
        rooted, registry=Registry().with_resource("urn:api", resource), format_checker=FormatChecker()
    )
    return [error.message for error in validator.iter_errors(value)]


def _absolute(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {k: f"urn:api{v}" if k == "$ref" else _absolute(v) for k, v in schema.items()}
    return [_absolute(item) for item in schema] if isinstance(schema, list) else schema


def test_the_examples_are_true_to_the_schemas(document: Document) -> None:
    checked = 0
    for place, schema, value in examples(document):
        assert errors_of(document, schema, value) == [], place
        checked += 1
    assert checked > 150
    message = document["components"]["examples"]["not_found"]["value"]
    assert errors_of(document, {"$ref": "#/components/schemas/Problem"}, {**message, "status": "404"})
    assert errors_of(document, {"$ref": "#/components/schemas/Channel"}, message)


def test_bodies_and_answers_have_examples(document: Document) -> None:
    for _, _, operation in operations(document):
        media = operation.get("requestBody", {}).get("content", {}).get("application/json")
        assert media is None or media["examples"], operation["operationId"]
        for status, response in operation["responses"].items():
            for media in resolve(document, response).get("content", {}).values():
                if operation["operationId"] not in DOCUMENTS or status != "200":
                    assert media.get("examples") or status == "500", (operation["operationId"], status)
