"""What azure-kusto-data raises, as kxrecon's errors: the service's own words, code, permanence and request id.

learn.microsoft.com, "Query/management HTTP response" (error body: ``@message`` is the specific text,
``@permanent`` decides whether to retry). A 429 is a ``KustoThrottlingError``, which is no
``KustoServiceError``; network trouble hides its nature in ``__cause__``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from azure.kusto.data.exceptions import (
    KustoApiError,
    KustoAuthenticationError,
    KustoClientInvalidConnectionStringException,
    KustoError,
    KustoMultiApiError,
    KustoNetworkError,
    KustoServiceError,
    KustoThrottlingError,
)
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

from kxrecon.errors import PlaneError, Throttled, Unanswered
from kxrecon.planes.failures import ABSENT_STATUS, retry_after
from kxrecon.planes.retry import UNREACHABLE
from kxrecon.planes.unreachable import why

_ABSENT_TYPES = (
    "EntityNotFoundException",
    "EntityNameDoesNotExistException",
    "DatabaseNotFoundException",
    "TableNotFoundException",
)
_ABSENT_CODES = ("BadRequest_EntityNotFound", "BadRequest_DatabaseNotExist", "BadRequest_TableNotExist", "NotFound")
_TOO_MANY = 429
_SERVER_ERROR = 500
_REDIRECTS = range(300, 400)
_OK = 200


def plane_error(error: Exception, what: str, latest: requests.Response | None) -> PlaneError:
    """The error of kxrecon for one of the Kusto client's. ``what`` names the command in messages;
    ``latest`` is the response behind it, where the client lost it."""
    if isinstance(error, KustoAuthenticationError):
        inner = error.exception
        return inner if isinstance(inner, PlaneError) else PlaneError(f"no token for Kusto: {inner}", code="NoToken")
    if isinstance(error, KustoClientInvalidConnectionStringException):
        return PlaneError(str(error), code="UntrustedHost")
    if isinstance(error, KustoNetworkError):
        return _network(error, what)
    if isinstance(error, KustoMultiApiError):
        return _in_rows(error, what, latest)
    response = getattr(error, "http_response", None) or latest
    if response is None:
        return PlaneError(f"{what}: {error}", code="Failed")
    return _answered(error, what, response)


def _answered(error: Exception, what: str, response: requests.Response) -> PlaneError:
    """The error for a response that did arrive, by its status and body."""
    status = response.status_code
    request_id = response.headers.get("x-ms-activity-id") or response.headers.get("x-ms-client-request-id") or ""
    body = _error_body(error, response)
    message, code = _words(body), _code(body)
    if status == _TOO_MANY or isinstance(error, KustoThrottlingError):
        wait = retry_after(response.headers)
        text = message or f"{what}: the cluster asked to slow down"
        return Throttled(
            text,
            code=code or "TooManyRequests",
            status=status,
            permanent=False,
            request_id=request_id,
            retry_after=wait,
        )
    if status in _REDIRECTS:
        return PlaneError(f"{what}: answered with a redirect, which is not followed", code="Redirect", status=status)
    if status == _OK:
        return malformed(what, error, request_id)
    absent = _is_absent(body)
    permanent = _is_permanent(body, status)
    words = message or f"{what}: HTTP {status} {response.reason or ''}".rstrip()
    kind = Unanswered if status >= _SERVER_ERROR and not permanent else PlaneError
    return kind(
        words,
        code=code,
        status=ABSENT_STATUS if absent else status,
        permanent=permanent,
        request_id=request_id,
        retry_after=retry_after(response.headers),
    )


def malformed(what: str, error: Exception, request_id: str = "") -> PlaneError:
    """The error for a 200 whose body is not what the protocol says."""
    return PlaneError(
        f"{what}: the answer cannot be read ({type(error).__name__}: {str(error)[:200]})",
        code="MalformedAnswer",
        status=_OK,
        request_id=request_id,
    )


def _error_body(error: Exception, response: requests.Response) -> Mapping[str, Any]:
    """The ``error`` object of the body; what the client parsed where the body cannot be read again."""
    try:
        body = response.json()
    except ValueError:
        body = None
    found = body.get("error") if isinstance(body, Mapping) else None
    if isinstance(found, Mapping):
        return found
    if isinstance(error, KustoApiError):
        api = error.get_api_error()
        return {"code": api.code, "message": api.message, "@message": api.description, "@permanent": api.permanent}
    return {}


def _words(body: Mapping[str, Any]) -> str:
    return str(body.get("@message") or body.get("message") or "")


def _code(body: Mapping[str, Any]) -> str:
    return str(body.get("code") or "")


def _is_absent(body: Mapping[str, Any]) -> bool:
    return _code(body) in _ABSENT_CODES or str(body.get("@type", "")).endswith(_ABSENT_TYPES)


def _is_permanent(body: Mapping[str, Any], status: int) -> bool:
    """``@permanent`` where the service says it; else a server error may pass, a refusal will not."""
    said = body.get("@permanent")
    return said if isinstance(said, bool) else status < _SERVER_ERROR


def _in_rows(error: KustoMultiApiError, what: str, latest: requests.Response | None) -> PlaneError:
    """An error inside the rows of a 200: the command ran and failed."""
    first = next(iter(error.get_api_errors()), None)
    request_id = latest.headers.get("x-ms-activity-id", "") if latest is not None else ""
    if first is None:
        return malformed(what, error, request_id)
    return PlaneError(
        first.description or first.message or what,
        code=first.code or "",
        permanent=first.permanent is not False,
        request_id=request_id,
    )


def _network(error: KustoNetworkError, what: str) -> PlaneError:
    """Not sent, or sent and unanswered: only the exception underneath tells."""
    cause = error.__cause__ or error
    if isinstance(cause, PlaneError):
        return cause
    if isinstance(cause, requests.exceptions.SSLError):
        return PlaneError(f"{what}: the certificate of {error.endpoint} is not trusted: {cause}", code="Certificate")
    if _never_sent(cause):
        host = urlsplit(str(error.endpoint)).netloc
        return PlaneError(f"cannot reach {host}: {why(cause)}", code=UNREACHABLE, permanent=False)
    return Unanswered(f"{what}: the connection broke before the answer: {_root(cause)}", permanent=False)


def _never_sent(cause: BaseException) -> bool:
    if isinstance(cause, requests.exceptions.ConnectTimeout):
        return True
    inner = cause.args[0] if cause.args else None
    reason = inner.reason if isinstance(inner, MaxRetryError) else inner
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)


def _root(cause: BaseException) -> str:
    inner = cause.args[0] if cause.args else cause
    return str(getattr(inner, "reason", None) or inner)


__all__ = ["KustoError", "KustoServiceError", "malformed", "plane_error"]
