"""Kusto's refusals and their JSON envelope ("learn.microsoft.com, Kusto HTTP status codes")."""

from __future__ import annotations

import re
import uuid
from datetime import datetime
from typing import Any


class KustoError(Exception):
    """A refusal: HTTP status, ``code``, short ``@type``, specific text, and whether a retry is pointless."""

    status = 400
    code = "General_BadRequest"
    kind = "Kusto.Data.Exceptions.KustoBadRequestException"
    permanent = True
    generic = "Request is invalid and cannot be executed."

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class BadRequest(KustoError):
    """The request means nothing here: a wrong value, a missing prerequisite, a restriction."""


class SyntaxRefused(KustoError):
    """The text is no known command."""

    code = "BadRequest_SyntaxError"
    kind = "Kusto.Data.Exceptions.SyntaxException"


class SemanticRefused(KustoError):
    """The query names what is not there."""

    kind = "Kusto.Data.Exceptions.SemanticException"


class EntityNotFound(KustoError):
    """``Entity ID '<name>' of kind '<Kind>' was not found.``"""

    code = "BadRequest_EntityNotFound"
    kind = "Kusto.Data.Exceptions.EntityNotFoundException"

    def __init__(self, name: str, what: str) -> None:
        super().__init__(f"Entity ID '{name}' of kind '{what}' was not found.")


class TableNotFound(KustoError):
    """A table is missing."""

    code = "BadRequest_TableNotExist"
    kind = "Kusto.Data.Exceptions.TableNotFoundException"

    def __init__(self, name: str) -> None:
        super().__init__(f"Entity ID '{name}' of kind 'Table' was not found.")


class DatabaseNotFound(KustoError):
    """A database is missing."""

    code = "BadRequest_DatabaseNotExist"
    kind = "Kusto.Data.Exceptions.DatabaseNotFoundException"

    def __init__(self, name: str) -> None:
        super().__init__(f"Entity name '{name}' of kind 'Database' does not exist.")


class DatabaseGone(DatabaseNotFound):
    """A database is missing, as the emulator answers it."""

    status = 404
    code = "NotFound"
    kind = "Kusto.Common.Svc.Exceptions.EntityNameDoesNotExistException"


class AlreadyExists(KustoError):
    """A create met the name."""

    code = "BadRequest"
    kind = "Kusto.Common.Svc.Exceptions.EntityAlreadyExistsException"

    def __init__(self, name: str, what: str) -> None:
        super().__init__(f"Entity '{name}' of kind '{what}' already exists.")


class NameRefused(KustoError):
    """A name with characters or a length that Kusto does not take."""

    code = "BadRequest_EntityNameIsNotValid"
    kind = "Kusto.Data.Exceptions.EntityNameIsNotValidException"


class Forbidden(KustoError):
    """The caller lacks the role."""

    status = 403
    code = "Forbidden"
    kind = "Kusto.Data.Exceptions.KustoRequestDeniedException"
    generic = "Caller is not authorized to perform this action"

    def __init__(self, fqn: str, operation: str, scope: str) -> None:
        super().__init__(f"Principal '{fqn}' is not authorized to perform operation '{operation}' on '{scope}'.")


class Suspended(KustoError):
    """The cluster does not run."""

    status = 412
    code = "PreconditionFailed"
    kind = "Kusto.Data.Exceptions.ClusterSuspendedException"


class NotImitated(KustoError):
    """Real Kusto would do it; the sandbox says so instead of guessing, under a code that Kusto does not have."""

    code = "NotImitated"

    def __init__(self, what: str) -> None:
        super().__init__(f"not imitated by the sandbox: {what}")


def envelope(error: KustoError, text: str, database: str, request_id: str, now: datetime) -> dict[str, Any]:
    """The body of a refusal, with the fields that clients read."""
    activity = str(uuid.uuid5(uuid.NAMESPACE_OID, request_id or text))
    context = {
        "timestamp": now.isoformat(),
        "serviceAlias": "SANDBOX",
        "machineName": "KEngine000000",
        "processName": "Kusto.WinSvc.Svc",
        "processId": 1,
        "threadId": 1,
        "clientRequestId": request_id,
        "activityId": activity,
        "subActivityId": activity,
        "activityType": "GW.Http.CallContext",
        "parentActivityId": activity,
        "activityStack": "",
    }
    body: dict[str, Any] = {
        "code": error.code,
        "message": error.generic,
        "@type": error.kind,
        "@message": error.text,
        "@context": context,
        "@permanent": error.permanent,
        "@text": text,
        "@database": database,
        "@ClientRequestLogger": "",
    }
    inner = re.match(r"(?:Semantic|Syntax) error: ((?:SEM|SYN)\d+)", error.text)
    if inner:
        body["innererror"] = {
            "code": inner.group(1),
            "message": error.text,
            "@type": error.kind,
            "@message": error.text,
            "@context": context,
            "@permanent": error.permanent,
            "@errorCode": inner.group(1),
            "@errorMessage": error.text,
        }
    return {"error": body}
