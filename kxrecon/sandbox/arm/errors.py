"""ARM's refusals: ``{"error": {"code", "message"}}`` with the code and words that Azure uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Refusal(Exception):
    """A request that ARM refuses; ``status`` is the HTTP status, ``code`` ARM's own."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """The envelope (learn.microsoft.com, Azure Resource Manager, common error response)."""
        return {"error": {"code": self.code, "message": self.message}}


def not_found(kind: str, name: str, group: str) -> Refusal:
    """404 of a missing resource; ``kind`` such as ``Microsoft.Kusto/clusters``."""
    return Refusal(
        404,
        "ResourceNotFound",
        f"The Resource '{kind}/{name}' under resource group '{group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def bad_content(message: str) -> Refusal:
    """400 of a body that does not follow the schema."""
    return Refusal(
        400, "InvalidRequestContent", f"The request content was invalid and could not be deserialized: '{message}'."
    )


def denied(caller: Mapping[str, Any], action: str, scope: str) -> Refusal:
    """403 of a caller without the right."""
    return Refusal(
        403,
        "AuthorizationFailed",
        f"The client '{caller.get('displayName', '')}' with object id '{caller.get('objectId', '')}' does not have "
        f"authorization to perform action '{action}' over scope '{scope}' or the scope is invalid. "
        "If access was recently granted, please refresh your credentials.",
    )
