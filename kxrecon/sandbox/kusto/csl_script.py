"""``.show database schema as csl script``: the commands that would make the database again.

Whether external tables, exports and the managed_identity policy are in it is not documented; the first two
were seen in the field and follow the switch ``csl_script_lists_exports``, the last is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kxrecon.sandbox.kusto import connections, external_tables, permissions, values
from kxrecon.sandbox.kusto.answers import Answer, answer, columns, mark
from kxrecon.sandbox.kusto.errors import Forbidden
from kxrecon.sandbox.kusto.schema import _scopes
from kxrecon.sandbox.kusto.session import Session
from kxrecon.sandbox.kusto.tables import SCHEMA, csl
from kxrecon.sandbox.kusto.values import clock
from kxrecon.sandbox.store import Document

SCRIPT = columns("DatabaseSchemaScript:string")


def show(session: Session, given: dict[str, Any]) -> Answer:
    """One row per command; without ``script``, one row per table."""
    asked = {name.lower(): str(v.value).lower() == "true" for name, v in given.get("properties", {}).items()}
    scopes = _scopes(session, given, "database")
    for scope in scopes:
        if asked.get("showobfuscatedstrings") and "admins" not in permissions.database_roles(scope):
            raise Forbidden(session.caller.fqn, "ShowObfuscatedStrings", f"database '{scope.database_name}'")
    if "script" not in given:
        return answer(SCHEMA, [row for scope in scopes for row in _tables(scope)])
    secure = asked.get("includesecuritysettings", True)
    return answer(SCRIPT, [[line] for scope in scopes for line in script(scope, secure)])


def _tables(session: Session) -> Iterator[list[Any]]:
    for document in session.all("table"):
        texts = [document.get("folder") or "", document.get("docString") or ""]
        yield [document["name"], csl(document["columns"]), session.database_name, *texts]


def script(session: Session, secure: bool) -> Iterator[str]:
    """The commands, in an order in which they could run."""
    for document in session.all("table"):
        schema = ", ".join(f"['{name}']:{kind}" for name, kind in document["columns"])
        yield f".create-merge table {name_(document)} ({schema}){_texts(document)}"
    yield from _policies(session, secure)
    for document in session.all("function"):
        skip = ', skipvalidation = "true"'
        texts = _texts(document, skip).strip()
        yield f".create-or-alter function {texts} {name_(document)}{document['parameters']} {document['body']}"
    if secure:
        yield from _principals(session)
    if session.switches.csl_script_lists_exports:
        for document in session.all("external_table"):
            yield _external(session, document)
        for document in session.all("continuous_export"):
            yield _export(session, document)


def name_(document: Document) -> str:
    """A name as the script writes it."""
    escaped = str(document["name"]).replace("\\", "\\\\").replace("'", "\\'")
    return f"['{escaped}']"


def text_(value: str) -> str:
    """A string literal as the script writes it."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r") + '"'


def _texts(document: Document, more: str = "") -> str:
    parts = [f"{word} = {text_(document[field])}" for word, field in (("folder", "folder"), ("docstring", "docString"))
             if document.get(field)]  # fmt: skip
    inner = ", ".join(parts) + (more if parts else more.removeprefix(", "))
    return f" with ({inner})" if inner else ""


def _policies(session: Session, secure: bool) -> Iterator[str]:
    for key, document in session.store.all("policy", session.uri, "database", session.database):
        if document["policy"] is not None and key[3] != "managed_identity":
            yield _policy(f"database ['{session.database_name}']", key[3], document["policy"])
    for key, document in session.store.all("policy", session.uri, "table", session.database):
        hidden = key[4] in ("row_level_security", "restricted_view_access") and not secure
        if document["policy"] is not None and not hidden:
            yield _policy(f"table {name_({'name': key[3]})}", key[4], document["policy"])


def _policy(where: str, policy: str, value: Any) -> str:
    if policy in ("ingestiontime", "restricted_view_access"):
        return f".alter {where} policy {policy} {str(value['IsEnabled']).lower()}"
    if policy == "row_level_security":
        return f".alter {where} policy {policy} {'enable' if value['IsEnabled'] else 'disable'} {text_(value['Query'])}"
    if policy == "caching":
        return f".alter {where} policy caching hot = time({value['DataHotSpan']['Value']})"
    return f".alter {where} policy {policy} {text_(mark(value))}"


def _principals(session: Session) -> Iterator[str]:
    for key, document in session.store.all("role", session.uri, "database", session.database):
        notes = f" {text_(document['notes'])}" if document.get("notes") else ""
        yield f".add database ['{session.database_name}'] {key[3]} ('{document['fqn']}'){notes}"


def _external(session: Session, document: Document) -> str:
    head = f".create-or-alter external table {name_(document)} ({csl(document['columns'])}) kind = {document['kind']}"
    known = {field: word for word, field in {**external_tables.STORAGE, **external_tables.SQL}.items()}
    listed = [f"{known[field]} = {_scalar(value)}" for field, value in document["properties"].items()]
    properties = _texts(document, "".join(f", {part}" for part in listed))
    if document["kind"] == "sql":
        table = f" table = {name_({'name': document['table']})}" if document["table"] else ""
        return f"{head}{table} (h@{_verbatim(document['connection']['text'])}){properties}"
    visible = session.switches.impersonate_shown == "visible"
    strings = [connections.shown_storage(c, visible) for c in document["connections"]]
    shown = ", ".join(f"h@{_verbatim(text)}" for text in strings)
    if document["kind"] == "delta":
        return f"{head} ({shown}){properties}"
    return f"{head}{_partitions(document)} dataformat = {document['dataFormat']} ({shown}){properties}"


def _verbatim(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _scalar(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else text_(str(value))


def _partitions(document: Document) -> str:
    if not document["partitions"]:
        return ""
    parts = []
    for partition in document["partitions"]:
        column, function, argument = partition["column"], partition["function"], partition["argument"]
        source = f"['{column}']" if column else ""
        if function == "bin":
            source = f"bin({source}, time({clock(argument)}))"
        elif function == "hash":
            source = f"hash({source}, {argument})"
        elif function:
            source = f"{function}({source})"
        parts.append(f"['{partition['name']}']:{partition['type']}" + (f" = {source}" if source else ""))
    path = external_tables.path_format(document)
    return f" partition by ({', '.join(parts)})" + (f" pathformat = ({path})" if path else "")


def _export(session: Session, document: Document) -> str:
    """A job; the identity is here or in ExportProperties, by switch."""
    shown = {name: _property(value, name) for name, value in document["properties"].items()}
    if session.switches.export_identity_shown != "script":
        shown.pop("managedIdentity", None)
    if document["isDisabled"]:
        shown["isDisabled"] = "true"
    over = "" if document["over"] is None else " over (" + ", ".join(name_({"name": t}) for t in document["over"]) + ")"
    properties = f" with ({', '.join(f'{name}={value}' for name, value in shown.items())})" if shown else ""
    head = f".create-or-alter continuous-export {name_(document)}{over} to table"
    return f"{head} {name_({'name': document['externalTable']})}{properties} <| {document['query']}"


def _property(value: Any, name: str) -> str:
    if name in ("intervalBetweenRuns", "forcedLatency"):
        return f"time({values.clock(value)})"
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else _scalar(value)


COMMANDS = {"schema_script": show}
