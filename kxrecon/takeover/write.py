"""A spec as YAML that a person would like to read: short entries on a line, KQL in blocks, comments beside entries."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from kxrecon.model import Secret, Value

Path = tuple[str, ...]
Comments = Mapping[Path, list[str]]
LINE = 110
LONG = 24  # lines of KQL from which on a text is better off in a file of its own
_WORDS = {"functions": ("body", "bodyFile"), "continuousExports": ("query", "queryFile")}
_FILE_NAME = re.compile(r"[^A-Za-z0-9_.-]")


def texts_to_files(document: Mapping[str, Any]) -> dict[str, str]:
    """Put long queries and bodies into files: the document names them, the answer holds path → text."""
    files: dict[str, str] = {}
    for database, sections in document["databases"].items():
        for section, (inline, named) in _WORDS.items():
            for name, entry in (sections.get(section) or {}).items():
                text = entry.get(inline)
                if isinstance(text, str) and text.count("\n") >= LONG:
                    path = _free(f"kql/{_FILE_NAME.sub('_', database)}/{_FILE_NAME.sub('_', name)}", files)
                    files[path] = text + "\n"
                    entry[named] = path
                    del entry[inline]
    return files


def _free(stem: str, taken: Iterable[str]) -> str:
    number, path = 2, f"{stem}.kql"
    while path in taken:
        path, number = f"{PurePosixPath(stem)}-{number}.kql", number + 1
    return path


def to_yaml(document: Mapping[str, Any], comments: Comments, header: Iterable[str], footer: Iterable[str]) -> str:
    """The whole file."""
    yaml = round_trip()
    stream = io.StringIO()
    yaml.dump(block(document, (), comments), stream)
    before = "".join(f"# {line}".rstrip() + "\n" for line in header)
    after = "".join(f"# {line}".rstrip() + "\n" for line in footer)
    return before + stream.getvalue() + ("\n" + after if after else "")


def round_trip() -> Any:
    """ruamel.yaml as this project writes YAML; existing files keep their comments, quotes and order."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 4096
    yaml.preserve_quotes = True
    yaml.allow_unicode = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def block(value: Value, path: Path, comments: Comments) -> Any:
    """``value`` in ruamel.yaml's types; entries that fit on a line are written on one."""
    from ruamel.yaml.comments import CommentedMap

    if not isinstance(value, Mapping):
        return scalar(value, path)
    if len(path) >= 2 and _fits(value, path, comments):
        return _flow(value, path)
    result = CommentedMap()
    for key, inner in value.items():
        result[key] = block(inner, (*path, key), comments)
        if comments.get((*path, key)):
            text = "\n".join(comments[(*path, key)])
            result.yaml_set_comment_before_after_key(key, before=text, indent=2 * len(path))
    return result


def _fits(value: Mapping[str, Any], path: Path, comments: Comments) -> bool:
    if any(inner[: len(path)] == path and len(inner) > len(path) for inner in comments):
        return False
    return not _has_lines(value) and len(str(path[-1])) + _width(value) <= LINE - 2 * len(path) and bool(value)


def _has_lines(value: Value) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_lines, value.values()))
    if isinstance(value, list):
        return any(map(_has_lines, value))
    return isinstance(value, str) and ("\n" in value or "\t" in value)


def _width(value: Value) -> int:
    if isinstance(value, Mapping):
        return sum(len(str(key)) + 4 + _width(inner) for key, inner in value.items()) + 2
    if isinstance(value, list):
        return sum(2 + _width(inner) for inner in value) + 2
    return len(str(value)) + 2 * (isinstance(value, str) and any(mark in value for mark in ":,{}[]#&*!|>'\"%@`"))


def _flow(value: Value, path: Path) -> Any:
    """On one line, in ``{}`` and ``[]``, where not every reader of YAML takes a bare ``:`` or ``?``."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    if isinstance(value, Mapping):
        mapping = CommentedMap({_quoted(key): _flow(inner, (*path, str(key))) for key, inner in value.items()})
        mapping.fa.set_flow_style()
        return mapping
    if isinstance(value, list):
        sequence = CommentedSeq([_flow(inner, path) for inner in value])
        sequence.fa.set_flow_style()
        return sequence
    return _quoted(scalar(value, path))


def _quoted(value: Any) -> Any:
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    bare = isinstance(value, str) and (":" in value or value.startswith("?"))
    return DoubleQuotedScalarString(value) if bare else value


def scalar(value: Value, path: Path) -> Any:
    """A leaf: secrets by name, ``${`` escaped where it would be expanded, texts of several lines as blocks."""
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

    if isinstance(value, Secret):
        return f"${{{value.variable}}}"
    if isinstance(value, list):
        return _flow(value, path)
    if not isinstance(value, str):
        return value
    verbatim = path[-1:] and path[-1] in ("query", "body")
    secret = path[-1:] == ("connections",)
    text = value if verbatim or secret else value.replace("${", "$${")
    if not all(one.isprintable() or one == "\n" for one in text) or text != text.strip():
        return DoubleQuotedScalarString(text)
    return LiteralScalarString(text) if "\n" in text else text
