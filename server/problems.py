"""Errors as answers: ``{"detail": "a sentence", "errors": [{"field": …, "expected": …}]}``, never what was sent."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from renzheng.errors import BadInput, StorageFull
from server.errors import ServerError, TooMany

log = logging.getLogger(__name__)


class FieldProblem(BaseModel):
    """One field that does not say what it should."""

    field: str = Field(description="where in the request, with dots and indexes")
    expected: str


class Problem(BaseModel):
    """Why the request was not done."""

    detail: str
    errors: list[FieldProblem] = []


def _answer(status: int, detail: str, errors: list[FieldProblem], headers: dict[str, str] | None = None) -> Any:
    return JSONResponse(Problem(detail=detail, errors=errors).model_dump(), status, headers)


def add_handlers(app: FastAPI) -> None:
    """Have every error of the house answered as a :class:`Problem`."""

    @app.exception_handler(ServerError)
    def server_error(_request: Request, error: ServerError) -> Any:
        headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, TooMany) else None
        if error.status == 503:
            headers = {"Retry-After": "5"}
        fields = [FieldProblem(field=error.field, expected=str(error))] if error.field else []
        return _answer(error.status, str(error), fields, headers)

    @app.exception_handler(BadInput)
    def bad_input(_request: Request, error: BadInput) -> Any:
        return _answer(422, str(error), [])

    @app.exception_handler(StorageFull)
    def storage_full(_request: Request, error: StorageFull) -> Any:
        log.error("the store is full: %s", error)
        return _answer(503, "there is no room to keep this; nothing of it was kept", [], {"Retry-After": "60"})

    @app.exception_handler(RequestValidationError)
    def invalid(_request: Request, error: RequestValidationError) -> Any:
        problems = [
            FieldProblem(field=".".join(map(str, one["loc"])), expected=str(one["msg"])) for one in error.errors()
        ]
        first = problems[0] if problems else FieldProblem(field="body", expected="something else")
        return _answer(422, f"{first.field}: {first.expected}", problems)

    @app.exception_handler(Exception)
    def unexpected(request: Request, error: Exception) -> Any:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return _answer(500, "the server failed; nothing of this was kept", [])
