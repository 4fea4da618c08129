"""The API's description as others read it: who may ask what, and which answers every route may give."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from server.access import CSRF_HEADER, SESSION_COOKIE, Needs, box_of
from server.context import READING
from server.problems import FieldProblem, Problem

_REF: Final = "#/components/schemas/"
_FASTAPIS: Final = ("HTTPValidationError", "ValidationError")
_BODY: Final = {400: "the body cannot be read", 413: "the body is too large"}
_ALWAYS: Final = {
    422: "a field does not say what it should",
    503: "database or store do not answer now; nothing was kept: come again after Retry-After",
}
_PERSON: Final = {401: "nobody is logged in", 403: "your role does not allow this, or the CSRF token is missing"}
_BOX: Final = {401: "the token of this box is not known, or was revoked"}

SECURITY: Final = {
    "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE, "description": "set by POST /v1/login"},
    "csrf": {"type": "apiKey", "in": "header", "name": CSRF_HEADER, "description": "csrf_token of GET /v1/me"},
    "box": {"type": "http", "scheme": "bearer", "description": "token that a box was given when it was enrolled"},
}


def routes_of(router: APIRouter) -> Iterator[APIRoute]:
    """The routes of a room and of those within it. A mounted application, which FastAPI does not know, is not here."""
    for route in router.routes:
        if isinstance(route, APIRoute):
            yield route
        elif isinstance(inner := getattr(route, "original_router", None), APIRouter):
            yield from routes_of(inner)


def askers_of(route: APIRoute) -> list[Any]:
    """The dependencies of a route that say who may ask: :class:`Needs` and :func:`box_of`; none where anybody may."""
    return [call for call in _calls(route.dependant) if isinstance(call, Needs) or call is box_of]


def _calls(dependant: Dependant) -> Iterator[Any]:
    yield dependant.call
    for one in dependant.dependencies:
        yield from _calls(one)


def describe(app: FastAPI, routers: list[APIRouter]) -> None:
    """Have the description of the application say what :class:`Needs` and the error handlers do.

    Call it last, when the application has all its routes.
    """
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(plain(), [route for router in routers for route in routes_of(router)])
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]


def _completed(schema: dict[str, Any], routes: list[APIRoute]) -> dict[str, Any]:
    components = schema.setdefault("components", {})
    components["securitySchemes"] = SECURITY
    schemas = components.setdefault("schemas", {})
    for model in (Problem, FieldProblem):
        told = model.model_json_schema(ref_template=_REF + "{model}")
        told.pop("$defs", None)
        schemas[model.__name__] = told
    for path, method, operation in _operations(schema):
        if "HTTPValidationError" in str(operation["responses"].get("422")):
            del operation["responses"]["422"]
        _add_answers(operation, _ALWAYS | (_BODY if "requestBody" in operation else {}))
        for route in routes:
            if route.path_format == path and method.upper() in (route.methods or ()):
                _add_askers(operation, route, method.upper())
    for name in _FASTAPIS:
        schemas.pop(name, None)
    return schema


def _operations(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in schema.get("paths", {}).items():
        for method, operation in methods.items():
            yield path, method, operation


def _add_askers(operation: dict[str, Any], route: APIRoute, method: str) -> None:
    for asker in askers_of(route):
        if asker is box_of:
            _add_answers(operation, _BOX)
            operation["security"] = [{"box": []}]
            continue
        _add_answers(operation, _PERSON)
        operation["security"] = [{"session": []} if method in READING else {"session": [], "csrf": []}]
        if asker.permission is not None:
            operation["description"] = f"{operation.get('description', '')}\n\nPermission: `{asker.permission}`".strip()


def _add_answers(operation: dict[str, Any], answers: dict[int, str]) -> None:
    for status, words in answers.items():
        operation["responses"].setdefault(str(status), _answer(words))


def _answer(words: str) -> dict[str, Any]:
    return {"description": words, "content": {"application/json": {"schema": {"$ref": f"{_REF}Problem"}}}}
