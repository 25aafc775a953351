"""What azure-core raises for ARM and Data Lake, as kxrecon's errors; which of them may pass is decided here.

Every 409 is one class in azure-core, a 429 has none, a lost answer and a refused connection look alike:
so the service's code and the HTTP status count, never the class. learn.microsoft.com, "Troubleshoot
common Azure deployment errors", "Throttling Resource Manager requests".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    IncompleteReadError,
    ServiceRequestError,
    ServiceResponseError,
)

from kxrecon.errors import MALFORMED, PlaneError, Throttled, Unanswered
from kxrecon.planes.failures import masked, retry_after
from kxrecon.planes.retry import UNREACHABLE
from kxrecon.planes.unreachable import why

BUSY_CODES = frozenset(
    {
        "RequestConflict",
        "Conflict",
        "ServiceIsInMaintenance",
        "AnotherOperationInProgress",
        "OperationInProgress",
        "ResourceBusy",
        "PrincipalNotFound",
    }
)
"""Refused for now: another operation holds the resource, or Entra has not replicated a principal yet."""

_CANNED = "Operation returned an invalid status"
"""What azure-core writes where it finds no words in an answer."""

_REPLICATING = "was not found in AAD tenant"
_THROTTLED_CODES = frozenset({"TooManyRequests", "ServerBusy", "OperationTimedOut", "SubscriptionRequestsThrottled"})
_TOO_MANY = 429
_UNSURE = frozenset({408, 500, 502, 503, 504})
_REMEDIES = {
    "MissingSubscriptionRegistration": "register the provider once: az provider register --namespace <provider>",
    "LinkedAuthorizationFailed": "the caller needs Managed Identity Operator on the identity",
    "AuthorizationPermissionMismatch": "the caller needs Storage Blob Data Owner on the account",
}


def plane_error(error: Exception, what: str) -> PlaneError:
    """The error of kxrecon for one of azure-core's, or for a body that an SDK could not parse."""
    if isinstance(error, PlaneError):
        return error
    if isinstance(error, ServiceRequestError):
        return _not_sent(error, what)
    if isinstance(error, ServiceResponseError | IncompleteReadError):
        return Unanswered(f"{what}: the connection broke before the answer: {error}", permanent=False)
    if isinstance(error, ClientAuthenticationError) and error.response is None:
        return PlaneError(f"{what}: no token: {error}", code="NoToken")
    if isinstance(error, HttpResponseError) and error.status_code and not isinstance(error, DecodeError):
        return _answered(error, what)
    if isinstance(error, (AzureError, *MALFORMED)):
        return malformed(what, error)
    raise error


def malformed(what: str, error: object) -> PlaneError:
    """The error for an answer that is not what the service's contract says."""
    return PlaneError(
        f"{what}: the answer cannot be read ({type(error).__name__}: {str(error)[:200]})", code="MalformedAnswer"
    )


def _not_sent(error: ServiceRequestError, what: str) -> PlaneError:
    text = str(error)
    if "non-TLS" in text:
        return PlaneError(f"{what}: {text}", code="UntrustedHost")
    if "CERTIFICATE_VERIFY_FAILED" in text or "SSLError" in text:
        return PlaneError(f"{what}: the certificate is not trusted: {text}", code="Certificate")
    return PlaneError(f"{what}: cannot reach the service: {why(error)}", code=UNREACHABLE, permanent=False)


def _answered(error: HttpResponseError, what: str) -> PlaneError:
    """The error for a response that did arrive."""
    status, headers = int(error.status_code or 0), _headers(error)
    code, words = _code_and_words(error, headers)
    request_id = headers.get("x-ms-request-id") or headers.get("x-ms-correlation-request-id") or ""
    message = masked(f"{what}: {words or _unexplained(code, status)}")
    if code in _REMEDIES:
        message = f"{message} ({_REMEDIES[code]})"
    common: dict[str, Any] = {
        "code": code,
        "status": status,
        "request_id": request_id,
        "retry_after": retry_after(headers),
    }
    if status == _TOO_MANY or code in _THROTTLED_CODES:
        return Throttled(message, permanent=False, **common)
    if code in BUSY_CODES or _REPLICATING in words:
        return PlaneError(message, permanent=False, **common)
    if status in _UNSURE:
        return Unanswered(message, permanent=False, **common)
    if 300 <= status < 400:
        return PlaneError(f"{what}: answered with a redirect, which is not followed", code="Redirect", status=status)
    return PlaneError(message, permanent=True, **common)


def _unexplained(code: str, status: int) -> str:
    """What is told where the service says nothing in words: a HEAD has no body, a cancelled operation no message."""
    if status < 300:
        return f"the operation ended as {code or 'failed'}"
    return f"{code} (HTTP {status})" if code else f"HTTP {status}"


def _headers(error: HttpResponseError) -> Mapping[str, str]:
    found = getattr(error.response, "headers", None) or {}
    return {str(name).lower(): str(value) for name, value in found.items()}


def _code_and_words(error: HttpResponseError, headers: Mapping[str, str]) -> tuple[str, str]:
    """The service's code and message: from the parsed error, the body, or storage's header."""
    parsed = error.error
    code, words = getattr(parsed, "code", None), getattr(parsed, "message", None)
    if not code:
        body = _body(error)
        code, words = body.get("code") or body.get("status"), words or body.get("message")
    if not code:
        stored = getattr(error, "error_code", None) or headers.get("x-ms-error-code") or ""
        code = getattr(stored, "value", stored)
    said = str(words or error.message or "").strip()
    return str(code or ""), "" if said.startswith(_CANNED) else said


def _body(error: HttpResponseError) -> Mapping[str, Any]:
    """The body's ``error`` object, or the body itself (an operation that ended as Failed or Canceled)."""
    try:
        text = error.response.text() if error.response is not None else ""
        body = json.loads(text)
    except (ValueError, AttributeError, TypeError):
        return {}
    if not isinstance(body, Mapping):
        return {}
    inner = body.get("error")
    return inner if isinstance(inner, Mapping) else body
