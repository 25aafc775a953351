"""Adding what was found to a spec that somebody wrote: its comments, order and entries stay as they are."""

from __future__ import annotations

import copy
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kxrecon.spec import Spec
from kxrecon.spec.defaults import wanted
from kxrecon.takeover.estate import Taken
from kxrecon.takeover.targets import Doc
from kxrecon.takeover.write import block, round_trip, texts_to_files

_HARMLESS = ("grants", "reads", "role", "policyScope")


@dataclass(frozen=True, slots=True)
class Merged:
    """A spec's new text, the files that it names anew, and the labels of what was added."""

    text: str
    files: Mapping[str, str]
    added: tuple[str, ...]


def merge(path: Path, spec: Spec, taken: Taken) -> Merged:
    """The text of ``path``, the last file of ``spec``, with every entry that the spec does not have yet."""
    found = copy.deepcopy(taken.composed.document)
    found["databases"] = _missing(found["databases"], spec.document.get("databases") or {})
    files = texts_to_files(found)
    _under_defaults(found["databases"], spec.document.get("defaults") or {})
    yaml = round_trip()
    document = yaml.load(path.read_text(encoding="utf-8"))
    comments = {at: list(lines) for at, lines in taken.composed.comments.items()}
    added: list[str] = []
    for section in ("variables", "targets"):
        new = {name: one for name, one in (found.get(section) or {}).items() if name not in _said(spec, section)}
        _add(document, (section,), new, comments)
    if not spec.scope.cluster_id and found["cluster"].get("resourceId"):
        _add(document, ("cluster",), {"resourceId": found["cluster"]["resourceId"]}, comments)
    identities = (found["cluster"].get("identities") or {}).items()
    fresh = {name: one for name, one in identities if name not in spec.scope.identities}
    _add(document, ("cluster", "identities"), fresh, comments)
    for database, sections in found["databases"].items():
        for section, entries in sections.items():
            _add(document, ("databases", database, section), entries, comments)
            added += [f"{database}/{name}" for name in entries]
    stream = io.StringIO()
    yaml.dump(document, stream)
    return Merged(stream.getvalue(), files, tuple(added))


def _said(spec: Spec, section: str) -> Mapping[str, Any]:
    said: Mapping[str, Any] = spec.document.get(section) or {}
    return said


def _missing(found: Doc, known: Mapping[str, Any]) -> Doc:
    """The entries that the spec does not have, by database and section; an entry that it has is never touched."""
    result: Doc = {}
    for database, sections in found.items():
        for section, entries in sections.items():
            there = (known.get(database) or {}).get(section) or {}
            fresh = {name: entry for name, entry in entries.items() if name not in there}
            if fresh:
                result.setdefault(database, {})[section] = fresh
    return result


def _under_defaults(databases: Doc, defaults: Mapping[str, Any]) -> None:
    """Take out what the spec's defaults give; say null where they would give what the estate does not have."""
    for sections in databases.values():
        for section, entries in sections.items():
            default = defaults.get(section) or {}
            for entry in entries.values():
                for name, value in list(wanted(default, dict(entry), (), None)):
                    if name not in entry and name not in _HARMLESS:
                        entry[name] = None
                    elif entry.get(name) == value and name != "kind":
                        del entry[name]


def _add(document: Any, path: tuple[str, ...], entries: Mapping[str, Any], comments: Mapping[Any, list[str]]) -> None:
    """Put entries into the mapping at ``path``, which is made if it is not there."""
    from ruamel.yaml.comments import CommentedMap

    if not entries:
        return
    here = document
    for step in path:
        if here.get(step) is None:
            here[step] = CommentedMap()
        here = here[step]
    for name, entry in entries.items():
        here[name] = block(entry, (*path, name), comments)
        lines = comments.get((*path, name))
        if lines:
            here.yaml_set_comment_before_after_key(name, before="\n".join(lines), indent=2 * len(path))
