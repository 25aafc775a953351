"""The schema of databases as JSON, as rows, and what is wrong with it ("learn.microsoft.com, .show schema")."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from kxrecon.sandbox.kusto import permissions
from kxrecon.sandbox.kusto.answers import Answer, answer, columns, mark
from kxrecon.sandbox.kusto.session import Session
from kxrecon.sandbox.kusto.tables import csl, ordered
from kxrecon.sandbox.kusto.values import DOTNET
from kxrecon.sandbox.store import Document

JSON = columns("DatabaseSchema:string")
FLAT = columns(
    "DatabaseName:string, TableName:string, ColumnName:string, ColumnType:string, IsDefaultTable:bool,"
    "IsDefaultColumn:bool, PrettyName:string, Version:string, Folder:string, DocString:string"
)
VIOLATIONS = columns("EntityKind:string, EntityName:string, Property:string, Reason:string")
ENTITIES = columns(
    "DatabaseName:string, EntityType:string, EntityName:string, DocString:string, Folder:string,"
    "CslInputSchema:string, Content:string, CslOutputSchema:string, Properties:dynamic"
)
SECTIONS = ("tables", "externaltables", "materializedviews", "functions")


def _scopes(session: Session, given: dict[str, Any], word: str) -> list[Session]:
    """The databases that a schema command names; those with an old enough ``if_later_than`` are left out."""
    names = given.get("names") or ([given["database"]] if "database" in given else None)
    if names is None and word == "databases":
        names = [key[1] for key, _ in session.store.all("database", session.uri)]
    scopes = [session.within(name) for name in names] if names is not None else [session]
    for scope in scopes:
        permissions.require(scope, permissions.READ, "SchemaShow")
    if "version" not in given:
        return scopes
    return [scope for scope in scopes if _number(scope.version()) > _number(given["version"].value)]


def _number(version: str) -> tuple[int, int]:
    match = re.fullmatch(r"v?(\d+)(?:\.(\d+))?", version)
    return (int(match.group(1)), int(match.group(2) or 0)) if match else (0, 0)


def _wanted(given: dict[str, Any]) -> set[str]:
    """The sections asked for; all of them when none is asked for."""
    asked = {n.lower() for n, v in given.get("properties", {}).items() if str(v.value).lower() == "true"}
    return asked & set(SECTIONS) or set(SECTIONS)


def as_json(session: Session, given: dict[str, Any]) -> Answer:
    """``.show database[s] schema as json``: one cell for all; no row when nothing is later."""
    word = "databases" if "names" in given or re.match(r"\s*\.show\s+databases\b", session.text) else "database"
    scopes = _scopes(session, given, word)
    if not scopes:
        return answer(JSON, [])
    wanted = _wanted(given)
    shown = {scope.database_name: _database(scope, wanted) for scope in scopes}
    return answer(JSON, [[mark({"Plugins": [], "Databases": shown})]])


def _database(session: Session, wanted: set[str]) -> dict[str, Any]:
    document = session.store.get("database", session.uri, session.database) or {}
    major, minor = _number(session.version())
    return {
        "Name": session.database_name,
        "Tables": _tables(session, "table") if "tables" in wanted else {},
        "ExternalTables": _tables(session, "external_table") if "externaltables" in wanted else {},
        "MaterializedViews": {},
        "EntityGroups": {},
        "MajorVersion": major,
        "MinorVersion": minor,
        "Functions": _functions(session) if "functions" in wanted else {},
        "DatabaseAccessMode": document.get("accessMode", "ReadWrite"),
        "PrettyName": document.get("prettyName", ""),
    }


def _tables(session: Session, kind: str) -> dict[str, Any]:
    return {
        document["name"]: {
            "Name": document["name"],
            "Folder": document.get("folder") or "",
            "DocString": document.get("docString") or "",
            "OrderedColumns": ordered(document["columns"], document.get("columnDocs") or {}),
        }
        for document in session.all(kind)
    }


def _functions(session: Session) -> dict[str, Any]:
    return {
        document["name"]: {
            "Name": document["name"],
            "InputParameters": list(_parameters(document["parameters"])),
            "Body": document["body"],
            "Folder": document.get("folder") or "",
            "DocString": document.get("docString") or "",
            "FunctionKind": "ViewFunction" if document.get("view") else "Unknown",
            "OutputColumns": [],
        }
        for document in session.all("function")
    }


def _parameters(text: str) -> Iterator[dict[str, Any]]:
    """Parameters of ``(a:long, b:string="x", T:(x:long))``."""
    for name, kind, default in re.findall(r'(\w+):(\w+|\([^)]*\))(?:=("(?:[^"\\]|\\.)*"|[^,)]+\)?))?', text):
        if kind.startswith("("):
            inner = re.findall(r"(\w+):(\w+)", kind)
            yield {"Name": name, "Columns": ordered(inner, {})}
        else:
            known = {"Name": name, "Type": DOTNET.get(kind, kind), "CslType": kind}
            yield known | ({"CslDefaultValue": default} if default else {})


def flat(session: Session, given: dict[str, Any]) -> Answer:
    """``.show database schema [details]``: a row per database, table and column."""
    word = "databases" if re.match(r"\s*\.show\s+databases\b", session.text) else "database"
    rows: list[list[Any]] = []
    for scope in _scopes(session, given, word):
        name, version = scope.database_name, scope.version()
        rows.append([name, "", "", "", False, False, "", version, "", ""])
        for document in scope.all("table"):
            texts = [document.get("folder") or "", document.get("docString") or ""]
            rows.append([name, document["name"], "", "", False, False, "", "", *texts])
            docs = document.get("columnDocs") or {}
            for column, kind in document["columns"]:
                row = [name, document["name"], column, DOTNET[kind], False, False, "", "", "", docs.get(column, "")]
                rows.append(row)
    return answer(FLAT, rows)


def violations(session: Session, given: dict[str, Any]) -> Answer:
    """``.show database D schema violations``: broken and disabled continuous exports."""
    session = session.within(given["database"]) if "database" in given else session
    permissions.require(session, permissions.READ, "SchemaViolationsShow")
    rows = []
    for export in session.all("continuous_export"):
        rows += [["ContinuousExport", export["name"], *finding] for finding in _violations(session, export)]
    return answer(VIOLATIONS, rows)


def _violations(session: Session, export: Document) -> Iterator[tuple[str, str]]:
    name = export["name"]
    if export["isDisabled"]:
        yield "IsDisabled", f"Continuous export job '{name}' is disabled"
    if session.find("external_table", export["externalTable"]) is None:
        yield "ExternalTableName", f"External table '{export['externalTable']}' of job '{name}' does not exist"
    for _, table in export["tables"]:
        if session.find("table", table) is None:
            yield "CursorScopedTables", f"Table '{table}' of job '{name}' does not exist"


def entities(session: Session, given: dict[str, Any]) -> Answer:
    """``.show databases entities``: of every database that the caller may read."""
    rows = []
    for key, _ in session.store.all("database", session.uri):
        scope = session.within(key[1])
        if not permissions.READ & permissions.database_roles(scope):
            continue
        for kind, word in (("table", "Table"), ("external_table", "ExternalTable")):
            for document in scope.all(kind):
                rows.append(_entity(scope, word, document, "", "", csl(document["columns"])))
        for document in scope.all("function"):
            rows.append(_entity(scope, "Function", document, document["parameters"][1:-1], document["body"], ""))
    return answer(ENTITIES, rows)


def _entity(session: Session, word: str, document: Document, given: str, content: str, output: str) -> list[Any]:
    texts = [document.get("docString") or "", document.get("folder") or ""]
    return [session.database_name, word, document["name"], *texts, given, content, output, None]


COMMANDS = {
    "schema_json": as_json,
    "schema_flat": flat,
    "schema_violations": violations,
    "databases_entities": entities,
}
