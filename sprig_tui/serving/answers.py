"""Answers that every server of ours gives: JSON, and JSON about what went wrong."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sprig_tui.serving.refusals import RefusedError

_log = logging.getLogger(__name__)


def json_answer(value: Any, status: int = 200) -> Response:
    """An answer whose body is this value."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def application(routes: list[Route], advice: Mapping[int, str]) -> Starlette:
    """An app of these routes; `advice` says by status what is wrong with paths and methods that are not ours."""

    async def lost(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - what starlette calls it with
        message = advice.get(error.status_code, error.detail)
        return RefusedError(error.status_code, message, headers=error.headers or {}).answer()

    app = Starlette(routes=routes, exception_handlers={RefusedError: _refused, HTTPException: lost, Exception: _fault})
    app.router.redirect_slashes = False
    return app


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)  # noqa: S101 - what starlette calls it with
    return error.answer()


async def _fault(_: Request, error: Exception) -> Response:
    _log.error("a request ended in an internal error: %s", type(error).__name__, exc_info=error)
    return RefusedError(500, "internal error; send it again").answer()
