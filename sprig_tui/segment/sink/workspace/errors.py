"""Errors of the fake Public API."""

from __future__ import annotations

from typing import Any


class FqlError(Exception):
    """A condition in FQL that cannot be read."""


class ApiError(Exception):
    """An answer other than success: `{"errors": [{type, message, field?, data?}]}` (facts: common ground)."""

    def __init__(self, status: int, kind: str, message: str, *, field: str = "", data: Any = None) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.field = field
        self.data = data


def not_found(what: str) -> ApiError:
    """404."""
    return ApiError(404, "not-found", f"{what} was not found.")


def invalid(field: str, message: str) -> ApiError:
    """422: a parameter that is missing or out of bounds."""
    return ApiError(422, "input-validation", message, field=field)


def unauthorized() -> ApiError:
    """401: also for a token that lacks the permission; 403 is documented nowhere."""
    return ApiError(401, "unauthorized", "The token is missing, invalid or lacks the permission.")
