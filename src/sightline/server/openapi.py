"""The OpenAPI document, derived from the structs and the error table; nothing in it is written twice."""

from __future__ import annotations

from typing import Any

import msgspec

from sightline import __version__
from sightline.protocol.errors import TABLE, Error, ErrorBody
from sightline.protocol.events import Accepted, Envelope, Final, Progress, Token
from sightline.protocol.requests import InferRequest
from sightline.protocol.uploads import Deleted, Uploaded
from sightline.server.openai_answers import ChatChunk, ChatCompletion, ChatError, ChatModel, ChatModels
from sightline.server.openai_wire import ChatRequest
from sightline.tasks.catalog import Catalog, shipped

_REF = "#/components/schemas/{name}"
_EVENTS: dict[str, type] = {"accepted": Accepted, "token": Token, "progress": Progress, "final": Final, "error": ErrorBody}

_FILE_ID: dict[str, Any] = {"name": "file_id", "in": "path", "required": True, "schema": {"type": "string"}}
_PAGES: dict[str, Any] = {"type": "object", "required": ["pages"], "properties": {"pages": {"type": "integer", "minimum": 1}}}
_PICTURE: dict[str, Any] = {"type": "string", "format": "binary"}


def document(prefix: str = "", catalog: Catalog | None = None) -> dict[str, Any]:
    """The document for a service mounted under `prefix`, which can be asked what is in `catalog` (by default what ships)."""
    options = {task.name: task.Options for task in (catalog or shipped()).tasks.values()}
    kinds: list[Any] = [
        InferRequest,
        Envelope,
        ErrorBody,
        Accepted,
        Token,
        Progress,
        Final,
        Uploaded,
        Deleted,
        ChatRequest,
        ChatCompletion,
        ChatChunk,
        ChatModel,
        ChatModels,
        ChatError,
        *dict.fromkeys(options.values()),
    ]
    _, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    request = components["InferRequest"]["properties"]
    request["task"]["enum"] = sorted(options)
    request["options"] = {"anyOf": [_ref(kind) for kind in dict.fromkeys(options.values())], "description": "Options of the task."}
    body = {"required": True, "content": {"application/json": {"schema": _ref(InferRequest)}}}
    key: list[dict[str, list[str]]] = [{}, {"key": []}]
    streamed = {
        "description": "Server-sent events: `accepted`, then `token` and `progress`, then one of `final` and `error`.",
        "content": {"text/event-stream": {"schema": {"anyOf": [_event(name, kind) for name, kind in _EVENTS.items()]}}},
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sightline",
            "version": __version__,
            "summary": "Vision-language models as a service.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "x-errors": [error_row(kind) for kind in TABLE.values()],
        },
        "servers": [{"url": prefix or "/"}],
        "paths": {
            "/infer": {
                "post": {
                    "operationId": "infer",
                    "summary": "Ask, and get the answer in one piece.",
                    "requestBody": body,
                    "security": key,
                    "responses": {"200": _json("An answer.", _ref(Envelope)), **_errors()},
                }
            },
            "/infer_stream": {
                "post": {
                    "operationId": "inferStream",
                    "summary": "Ask, and get the answer as it is written.",
                    "requestBody": body,
                    "security": key,
                    "responses": {"200": streamed, **_errors()},
                }
            },
            "/files": {
                "post": {
                    "operationId": "uploadFile",
                    "summary": "Upload a large file, raw or as multipart/form-data, and refer to it by its file_id.",
                    "requestBody": {
                        "required": True,
                        "content": {
                            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
                            "multipart/form-data": {
                                "schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}
                            },
                        },
                    },
                    "security": key,
                    "responses": {"201": _json("Kept.", _ref(Uploaded)), **_errors()},
                }
            },
            "/files/{file_id}": {
                "delete": {
                    "operationId": "deleteFile",
                    "summary": "Forget an upload before it expires.",
                    "parameters": [_FILE_ID],
                    "security": key,
                    "responses": {"200": _json("Forgotten.", _ref(Deleted)), **_errors()},
                }
            },
            "/files/{file_id}/pages": {
                "get": {
                    "operationId": "countPages",
                    "summary": "How many pages an upload has; 1 for a picture.",
                    "parameters": [_FILE_ID],
                    "security": key,
                    "responses": {"200": _json("The number of pages.", _PAGES), **_errors()},
                }
            },
            "/files/{file_id}/pages/{page}.jpg": {
                "get": {
                    "operationId": "drawPage",
                    "summary": "One page of an upload as a small picture, for a person to look at.",
                    "parameters": [_FILE_ID, {"name": "page", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 1}}],
                    "security": key,
                    "responses": {"200": {"description": "The page.", "content": {"image/jpeg": {"schema": _PICTURE}}}, **_errors()},
                }
            },
            "/tasks": {"get": _plain("tasks", "What can be asked, with the options of each task.")},
            "/health": {"get": _plain("health", "Whether the process lives.")},
            "/ready": {"get": _plain("ready", "Whether a lane can answer, and which cannot.", "503")},
            "/metrics": {"get": _metrics(key)},
            **_openai(key),
        },
        "components": {"schemas": components, "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
    }


def _openai(key: list[dict[str, list[str]]]) -> dict[str, Any]:
    """The paths of the OpenAI-compatible door."""
    errors = {status: _json(answer["description"], _ref(ChatError)) for status, answer in _errors().items()}
    content = {
        "application/json": {"schema": _ref(ChatCompletion)},
        "text/event-stream": {"schema": {"type": "object", "properties": {"data": {"type": "string"}}}},
    }
    streams = "A completion; with `stream`, server-sent events whose data are `ChatChunk`, and `[DONE]` last."
    return {
        "/v1/chat/completions": {
            "post": {
                "operationId": "chatCompletions",
                "summary": "The same service for clients of OpenAI's.",
                "requestBody": {"required": True, "content": {"application/json": {"schema": _ref(ChatRequest)}}},
                "security": key,
                "responses": {"200": {"description": streams, "content": content}, **errors},
            }
        },
        "/v1/models": {
            "get": {
                "operationId": "listModels",
                "summary": "The models that can be asked.",
                "security": key,
                "responses": {"200": _json("The models.", _ref(ChatModels)), **errors},
            }
        },
        "/v1/models/{model}": {
            "get": {
                "operationId": "retrieveModel",
                "summary": "Whether there is a model of that name.",
                "parameters": [{"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}],
                "security": key,
                # A name with a line break in it is no path at all, and told as such.
                "responses": {
                    "200": _json("It is there.", _ref(ChatModel)),
                    **errors,
                    "404": _json("Code 1000.", {"anyOf": [_ref(ChatError), _ref(ErrorBody)]}),
                },
            }
        },
    }


def _metrics(key: list[dict[str, list[str]]]) -> dict[str, Any]:
    told = {"description": "Text for Prometheus.", "content": {"text/plain": {"schema": {"type": "string"}}}}
    return {
        "operationId": "metrics",
        "summary": "Counts, times, and the state of lanes and engines.",
        "security": key,
        "responses": {"200": told, "401": _json("Code 4001.", _ref(ErrorBody)), "403": _json("Code 4002.", _ref(ErrorBody))},
    }


def error_row(kind: type[Error]) -> dict[str, Any]:
    """One row of the error table."""
    return {
        "code": kind.code,
        "status": kind.status,
        "retryable": kind.retryable,
        "message": kind.message._asdict(),
        "hint": kind.hint._asdict(),
        "meaning": (kind.__doc__ or "").strip(),
    }


def _errors() -> dict[str, Any]:
    """The error responses by HTTP status, each with the codes that it may carry."""
    codes: dict[int, list[int]] = {404: [1000], 408: [1000]}
    for kind in TABLE.values():
        codes.setdefault(kind.status, []).append(kind.code)
    return {str(status): _json(f"Codes {', '.join(map(str, found))}.", _ref(ErrorBody)) for status, found in sorted(codes.items())}


def _plain(name: str, summary: str, *statuses: str) -> dict[str, Any]:
    answers = {status: _json(summary, {"type": "object"}) for status in ("200", *statuses)}
    return {"operationId": name, "summary": summary, "responses": {**answers, "403": _json("Code 4002.", _ref(ErrorBody))}}


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _event(name: str, kind: type) -> dict[str, Any]:
    """One server-sent event, as a reader of such streams hands it over: its data is text that holds JSON (so OpenAPI 3.2 says it)."""
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": _ref(kind)}
    return {"type": "object", "required": ["event", "data"], "properties": {"event": {"const": name}, "data": data}}


def _ref(kind: type) -> dict[str, str]:
    return {"$ref": _REF.format(name=kind.__name__)}
