"""Stored functions ("learn.microsoft.com, Stored functions management")."""

from __future__ import annotations

from typing import Any

from kxrecon.sandbox.kusto import permissions
from kxrecon.sandbox.kusto.answers import Answer, answer, columns
from kxrecon.sandbox.kusto.errors import AlreadyExists, BadRequest
from kxrecon.sandbox.kusto.lexer import mask
from kxrecon.sandbox.kusto.query_syntax import check
from kxrecon.sandbox.kusto.session import Session
from kxrecon.sandbox.kusto.tables import forget
from kxrecon.sandbox.kusto.values import Literal, canonical, clock
from kxrecon.sandbox.store import Document

RESULT = columns("Name:string, Parameters:string, Body:string, Folder:string, DocString:string")
DROPPED = columns("Name:string")
FLAGS = ("view", "skipvalidation")


def _default(literal: Literal) -> str:
    if literal.kind == "string":
        text = literal.value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{text}"'
    if literal.kind == "timespan":
        return f"time({clock(literal.value)})"
    if literal.kind == "bool":
        return str(literal.value).lower()
    return f"{literal.kind}({literal.value})" if literal.kind in ("datetime", "guid", "dynamic") else str(literal.value)


def parameters(given: list[tuple[str, str, Literal | None]]) -> str:
    """A parameter list as ``.show functions`` prints it: ``(a:long, b:string="x")``."""
    parts = []
    for name, kind, default in given:
        shown = kind if kind.startswith("(") else canonical(kind)
        parts.append(f"{name}:{shown}" + (f"={_default(default)}" if default else ""))
    return f"({', '.join(parts)})"


def body(text: str) -> str:
    """A body as Kusto shows it: one space inside the outer braces, line ends unified, no trailing space."""
    inner = text.strip()[1:-1].replace("\r\n", "\n")
    lines = [line.rstrip() for line in inner.split("\n")]
    return "{ " + "\n".join(lines).strip() + " }" if len(lines) == 1 else "{\n" + "\n".join(lines).strip("\n") + "\n}"


def _stated(given: dict[str, Any]) -> dict[str, Any]:
    known = {"docstring": "docString", "folder": "folder", "view": "view", "skipvalidation": "skipValidation"}
    found: dict[str, Any] = {}
    for name, literal in given.get("properties", {}).items():
        if name.lower() not in known:
            raise BadRequest(f"Property '{name}' is not supported")
        value = literal.value
        found[known[name.lower()]] = str(value).lower() == "true" if name.lower() in FLAGS else str(value)
    return found


def _define(session: Session, given: dict[str, Any]) -> Answer:
    name = given["name"]
    check(str(given["body"]).strip()[1:-1])
    before = session.find("function", name)
    if before is None:
        permissions.require(session, permissions.USE, "FunctionCreate")
        session.fresh("function", name)
    else:
        permissions.require_entity(session, "function", name, "FunctionAlter")
    document = {
        "name": name,
        "parameters": parameters(given["parameters"]),
        "body": body(mask(str(given["body"]))),
        "folder": "",
        "docString": "",
        "view": False,
        "skipValidation": False,
        **_stated(given),
    }
    session.put("function", name, document, "ALTER-FUNCTION" if before else "CREATE-FUNCTION")
    if before is None:
        permissions.own(session, "function", name)
    return _answer([document])


def _answer(documents: list[Document]) -> Answer:
    fields = ("name", "parameters", "body", "folder", "docString")
    return answer(RESULT, [[d.get(field) or "" for field in fields] for d in documents])


def create(session: Session, given: dict[str, Any]) -> Answer:
    """An existing name is an error, or nothing happens with ``ifnotexists``."""
    found = session.find("function", given["name"])
    if found is not None:
        if "ifnotexists" in given:
            return _answer([found])
        raise AlreadyExists(given["name"], "ExpressionFunction")
    return _define(session, given)


def alter(session: Session, given: dict[str, Any]) -> Answer:
    """A missing function is an error."""
    session.get("function", given["name"])
    return _define(session, given)


def text(field: str) -> Any:
    """The command that sets ``folder`` or ``docString`` of a function."""

    def run(session: Session, given: dict[str, Any]) -> Answer:
        found = session.get("function", given["name"])
        permissions.require_entity(session, "function", given["name"], "FunctionAlter")
        changed = {**found, field: given["text"].value}
        return _answer([session.put("function", given["name"], changed, "ALTER-FUNCTION")])

    return run


def _remove(session: Session, name: str, ifexists: bool) -> Document | None:
    if ifexists and session.find("function", name) is None:
        return None
    session.get("function", name)
    permissions.require_entity(session, "function", name, "FunctionDrop")
    forget(session, "function", name)
    return session.remove("function", name, "DROP-FUNCTION")


def drop(session: Session, given: dict[str, Any]) -> Answer:
    """``.drop function F [ifexists]``."""
    gone = _remove(session, given["name"], "ifexists" in given)
    return answer(DROPPED, [[gone["name"]]] if gone else [])


def drop_many(session: Session, given: dict[str, Any]) -> Answer:
    """``.drop functions (…)``: the answer lists the remaining ones."""
    for name in given["names"]:
        _remove(session, name, "ifexists" in given)
    return _answer(session.all("function"))


def show(session: Session, given: dict[str, Any]) -> Answer:
    """``.show functions``."""
    permissions.require(session, permissions.READ, "FunctionsShow")
    return _answer(session.all("function"))


def show_one(session: Session, given: dict[str, Any]) -> Answer:
    """``.show function F``; a missing one is an error."""
    permissions.require(session, permissions.READ, "FunctionShow")
    return _answer([session.get("function", given["name"])])


COMMANDS = {
    "function_create": create,
    "function_alter": alter,
    "function_set": _define,
    "function_docstring": text("docString"),
    "function_folder": text("folder"),
    "function_drop": drop,
    "functions_drop": drop_many,
    "functions_show": show,
    "function_show": show_one,
}
