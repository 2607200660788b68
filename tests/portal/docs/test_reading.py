"""An OpenAPI document, read for people; and Markdown as HTML."""

import msgspec
import pytest

from portal.docs.markdown import headings, inline, to_html
from portal.docs.openapi import read_reference
from portal.docs.schemas import Schemas

DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Sample", "version": "1", "description": "Some *words*."},
    "tags": [{"name": "Things", "description": "What there is."}],
    "paths": {
        "/v1/things/{id}": {
            "get": {
                "operationId": "getThing",
                "tags": ["Things"],
                "summary": "One thing",
                "security": [{"secretKey": []}, {"userToken": []}],
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "maxLength": 64}},
                    {"name": "full", "in": "query", "schema": {"type": "boolean", "default": False}},
                ],
                "responses": {
                    "200": {
                        "description": "The thing.",
                        "content": {
                            "application/json": {
                                "schema": {"$ref": "#/components/schemas/Thing"},
                                "examples": {"recorded": {"value": {"id": "a", "parts": []}}},
                            }
                        },
                    },
                    "404": {"$ref": "#/components/responses/NotFound"},
                },
            },
        }
    },
    "components": {
        "schemas": {
            "Thing": {
                "type": "object",
                "properties": {
                    "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}, "maxItems": 3},
                    "id": {"type": "string", "description": "Its `id`."},
                    "note": {"anyOf": [{"type": "string", "maxLength": 9}, {"type": "null"}], "default": None},
                },
                "required": ["id"],
            },
            "Kind": {"enum": ["a", "b"]},
        },
        "responses": {"NotFound": {"description": "- `not_found`: Nothing by that name.\n- `gone`: It was here."}},
    },
}


def test_an_operation_is_read_whole() -> None:
    reference = read_reference(msgspec.json.encode(DOCUMENT))
    (group,) = reference.groups
    (operation,) = group.operations
    assert (operation.method, operation.path, operation.anchor) == ("GET", "/v1/things/{id}", "getThing")
    assert operation.parts == [("/v1/things/", False), ("{id}", True)]
    assert operation.callers == ("secret key", "user token")
    assert [(place, [field.name for field in fields]) for place, fields in operation.parameters] == [
        ("path", ["id"]),
        ("query", ["full"]),
    ]
    assert [(refusal.status, refusal.code) for refusal in operation.refusals] == [("404", "not_found"), ("404", "gone")]
    (answer,) = operation.answers
    assert answer.example is not None
    assert answer.example.striptags() == '{ "id": "a", "parts": [] }'
    assert [schema.name for schema in answer.schemas] == ["Thing"]


def test_a_schema_that_holds_itself_ends() -> None:
    thing = Schemas(DOCUMENT).get("Thing")
    assert [(field.name, field.kind.words, field.kind.schema, field.limits) for field in thing.fields] == [
        ("id", "text", None, ()),
        ("parts", "list of Thing", "Thing", ("at most 3 items",)),
        ("note", "text or null", None, ("at most 9 characters",)),
    ]


def test_components_without_fields_are_told_in_place_only() -> None:
    assert [schema.name for schema in Schemas(DOCUMENT).all()] == ["Thing"]


def test_what_is_no_document_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        read_reference(b"<html>")


def test_markup_in_a_description_stays_text() -> None:
    assert "<script>" not in to_html("Hello <script>alert(1)</script>")
    assert inline("<b>`x`</b>") == "&lt;b&gt;<code>x</code>&lt;/b&gt;"
    assert "href" not in to_html("[click](javascript:alert(1))")


def test_headings_can_be_linked_to() -> None:
    text = "# Realtime\n\n## Events to the server\n\n### `message.send`\n"
    assert headings(text) == [
        (1, "Realtime", "realtime"),
        (2, "Events to the server", "events-to-the-server"),
        (3, "message.send", "message.send"),
    ]
    assert '<h2 id="events-to-the-server">' in to_html(text)


def test_tables_scroll_inside_themselves() -> None:
    made = to_html("| a | b |\n| --- | --- |\n| 1 | 2 |\n")
    assert made.startswith('<div class="table-frame" tabindex="0">')
    assert made.rstrip().endswith("</div>")
