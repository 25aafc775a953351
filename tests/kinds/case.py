"""Load a case file and run it through its kind: desire, observe, compare, act."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor

from kxrecon.diff import Differences, adopt, diff
from kxrecon.errors import Problem
from kxrecon.kinds import NAMES, World, kind
from kxrecon.leaves import shown, shown_text
from kxrecon.model import (
    Answer,
    Deferred,
    Entity,
    Failure,
    Gap,
    Hidden,
    Read,
    Reading,
    Ref,
    Request,
    Secret,
    State,
    Step,
    Table,
    Unknown,
)
from kxrecon.scope import Directory, Scope, Target

HERE = Path(__file__).parent
ROUNDS = 4


class _Constructor(SafeConstructor):
    """YAML as the spec's loader reads it, with ``!secret``; dates stay texts."""


_Constructor.add_constructor("!secret", lambda _, node: Secret(node.value))
_Constructor.add_constructor("tag:yaml.org,2002:timestamp", lambda _, node: node.value)


def files() -> list[Path]:
    return sorted(HERE.glob("*/*/*.yaml"))


@dataclass(frozen=True)
class Case:
    path: Path
    doc: Mapping[str, Any]

    @property
    def kind_name(self) -> str:
        return self.path.parent.name

    @property
    def expect(self) -> Mapping[str, Any]:
        return self.doc.get("expect") or {}


def load(path: Path) -> Case:
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Constructor
    case = Case(path, yaml.load(path.read_text(encoding="utf-8")))
    assert NAMES[case.kind_name] == path.parent.parent.name, f"{path}: the folder does not name a kind of this plane"
    return case


def scope_of(case: Case) -> Scope:
    doc = dict(case.doc.get("scope") or {})
    directory = doc.pop("directory", {})
    targets = {name: Target(name, target) for name, target in (doc.pop("targets", None) or {}).items()}
    databases = tuple(doc.pop("databases", None) or sorted({entry["name"][0] for entry in _entries(case)}))
    section = kind(case.kind_name).SECTION
    stated = {tuple(one) for one in doc.pop("declared", [])}
    declared = {_section(section[:-1], entry["name"]) for entry in _entries(case)} | stated
    return Scope(
        targets=targets,
        databases=databases if section[:1] == ("databases",) or "databases" in (case.doc.get("scope") or {}) else (),
        declared=frozenset(declared),
        directory=Directory(**directory),
        **{name: tuple(value) if isinstance(value, list) else value for name, value in doc.items()},
    )


def _section(pattern: tuple[str, ...], name: list[str]) -> tuple[str, ...]:
    names = iter(name)
    return tuple(next(names) if part == "*" else part for part in pattern)


def _entries(case: Case) -> list[Mapping[str, Any]]:
    spec = case.doc.get("spec") or []
    return [spec] if isinstance(spec, Mapping) else spec


@dataclass(frozen=True)
class Run:
    """Everything that came out of a case."""

    case: Case
    scope: Scope
    problems: tuple[Problem, ...]
    desired: State
    reads: tuple[Read, ...]
    observed: State
    differences: Differences
    steps: tuple[Step, ...]

    @property
    def requests(self) -> list[Request]:
        return [request for step in self.steps for request in step.requests]


def run(case: Case) -> Run:
    scope = scope_of(case)
    module = kind(case.kind_name)
    found = [item for entry in _entries(case) for item in module.desire(tuple(entry["name"]), entry.get("doc"), scope)]
    stated = [_entity(case.kind_name, entry) for entry in case.doc.get("desired") or []]
    problems = tuple(item for item in found if isinstance(item, Problem))
    desired = State({item.ref: item for item in [*found, *stated] if isinstance(item, Entity)})
    answers = _ask(case, scope)
    observed = _state(module.observe(answers, scope))
    adopted = adopt(desired, observed, scope)
    differences = diff(adopted, observed)
    world = World(scope, observed, adopted)
    groups: dict[Any, list[Any]] = {}
    for change in differences.changes:
        groups.setdefault(module.group(change), []).append(change)
    steps = tuple(step for changes in groups.values() for step in module.act(changes, world))
    return Run(case, scope, problems, desired, tuple(answers), observed, differences, steps)


def _entity(kind_name: str, entry: Mapping[str, Any]) -> Entity:
    fields = {name: _frozen(value) for name, value in (entry.get("fields") or {}).items()}
    ref = Ref(kind_name, tuple(entry["name"]))
    return Entity(ref, fields, entry.get("attributes") or {}, owner=entry.get("owner"))


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _frozen(item) for name, item in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _state(found: Any) -> State:
    items = list(found)
    entities = {item.ref: item for item in items if isinstance(item, Entity)}
    readings = {item.ref: item for item in items if isinstance(item, Reading)}
    return State(entities, readings, tuple(item for item in items if isinstance(item, Gap)))


def _ask(case: Case, scope: Scope) -> dict[Read, Answer]:
    known: dict[Read, Answer] = {}
    if "answers" not in case.doc:
        return known
    for _ in range(ROUNDS):
        wanted = [read for read in kind(case.kind_name).reads(scope, known) if read not in known]
        if not wanted:
            break
        known.update((read, _answer(case, read)) for read in wanted)
    return known


def _answer(case: Case, read: Read) -> Answer:
    answers = case.doc["answers"]
    if isinstance(answers, Mapping):
        answers = [{"text": text, "answer": answer} for text, answer in answers.items()]
    for one in answers:
        arguments = one.get("arguments") or {}
        if one["text"] == read.text and one.get("target", read.target) == read.target:
            asked = dict(read.arguments)
            if all(asked.get(name) == value for name, value in arguments.items()):
                return _parsed(one["answer"], read)
    raise AssertionError(f"{case.path.name} has no answer to {read}")


def _parsed(answer: Any, read: Read) -> Answer:
    if answer == "empty" and "schema as json" in read.text:  # a database is always shown, with nothing in it
        return Table(("DatabaseSchema",), [[{"Databases": {read.target: {"Name": read.target}}}]])
    if answer == "empty":
        return Table((), ())
    if "failure" in answer:
        return Failure(answer["failure"], answer.get("message", ""), answer.get("code", ""))
    if "json" in answer:
        return answer["json"]
    return Table(tuple(answer["columns"]), answer["rows"])


def plain(value: Any) -> Any:
    """A canonical value as a case file writes it: lists for tuples, texts for leaves."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list) and not isinstance(value, Ref):
        return [plain(item) for item in value]
    return shown(value) if isinstance(value, Unknown | Deferred | Secret | Hidden) else value


def request_doc(request: Request) -> dict[str, Any]:
    doc = {"plane": request.plane, "target": request.target, "text": shown_text(request.text)}
    return {**doc, "body": plain(request.body), "accepts": list(request.accepts), "exclusive": request.exclusive}


def runs() -> Iterator[Run]:
    """All cases of all kinds, run; for witnesses that judge what kinds send."""
    for path in files():
        yield run(load(path))
