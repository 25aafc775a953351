"""KX14x: the server itself judges, where somebody asked for it (``--server-check``).

For each query it is asked for the columns of the result (``getschema``: a query, which needs the right to read). The
definition of each storage table that the plan makes or changes is sent with ``dryRun``: it is checked and not kept.
That needs the right to write, which planes/rehearsal.py keeps from being used. (learn.microsoft.com, getschema
operator; Create and alter Azure Storage external tables.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from kxrecon import kql
from kxrecon.errors import KxreconError
from kxrecon.kinds.kusto import external_table
from kxrecon.leaves import bind, request_unknowns
from kxrecon.lint.ahead import ahead
from kxrecon.lint.columns import Columns
from kxrecon.lint.judgement import Judgement, joined
from kxrecon.lint.results import PROJECT, difference
from kxrecon.lint.rules import Lint, Rule, elsewhere
from kxrecon.lint.world import Export, World
from kxrecon.model import Action, Answer, Change, Failure, Read, Ref, Table
from kxrecon.planes import PlaneClient
from kxrecon.scope import Scope

QUERY = Rule("KX140", "error", "the server refuses the query", "query", elsewhere, connected=True)
TABLE = Rule("KX141", "error", "the server refuses the external table", "to", elsewhere, connected=True)
WROTE = Rule(
    "KX142", "error", "an external table is not what it was before its dry run", "to", elsewhere, connected=True
)
RULES = (QUERY, TABLE, WROTE)
# What comes before an external table so that its definition can be accepted at all.
FIRST = frozenset({"managed_identity_policy", "cluster_identity"})
# Codes of a request that is wrong by itself ("learn.microsoft.com, Query/management HTTP response").
SCHEMA = ("ColumnOrdinal", "ColumnName", "ColumnType")
_REFUSALS = ("BadRequest", "General_BadRequest", "SEM", "SYN")


@dataclass(frozen=True, slots=True)
class Server:
    """Whom to ask, and about which actions: ``client`` reads, and has definitions checked."""

    client: PlaneClient
    scope: Scope
    actions: Sequence[Action]
    secrets: Mapping[str, str]
    workers: int = 8

    def judge(self, world: World) -> Judgement:
        """What the server says of every query of the spec and of every external table that the plan changes."""
        if world.observed is None:
            return Judgement(unchecked=("the server was not asked: the cluster could not be read",))
        queries, tables = list(self._of_queries(list(world.exports()))), list(self._of_tables(world))
        both = ((queries, ("query", "queries")), (tables, ("definition", "definitions")))
        told = [_accepted(part, words) for part, words in both if part]
        found = joined((*queries, *tables))
        return replace(found, told=(f"the server accepts {' and '.join(told)}",) if told else ())

    def _answers(self, reads: Iterable[Read]) -> Mapping[Read, Answer]:
        wanted = list(dict.fromkeys(reads))
        with ThreadPoolExecutor(self.workers, thread_name_prefix="server-check") as pool:
            return dict(zip(wanted, pool.map(self.client.read, wanted), strict=True))

    # ---- queries
    def _of_queries(self, exports: Sequence[Export]) -> Iterator[Judgement]:
        asked = [(export, ahead(export)) for export in exports if export.tokens and export.tokens[0].text != "."]
        reads = {export.entity.ref: Read("kusto", export.database, text.text) for export, text in asked}
        answers = self._answers(reads.values())
        for export, text in asked:
            yield _query(export, text.doubts, answers[reads[export.entity.ref]])

    # ---- external tables
    def _of_tables(self, world: World) -> Iterator[Judgement]:
        reads: dict[Ref, Read] = {}
        changes = {change.ref: (action, change) for action, change in self._changes()}
        for ref, (_, change) in changes.items():
            asked = self._rehearsal(change)
            if isinstance(asked, Read):
                reads[ref] = asked
            else:
                yield Judgement(unchecked=(f"{ref.label}: its definition was not tried: {asked}",))
        shown = [external_table.shown(database) for database in sorted({ref.name[0] for ref in reads})]
        before, answers = self._answers(shown), self._answers(reads.values())
        after = self._answers(shown)
        for ref, read in reads.items():
            show = external_table.shown(ref.name[0])
            waits = self._waits(changes[ref][0])
            yield _table(world, ref, answers[read], waits, wrote=_differ(before[show], after[show], ref))

    def _changes(self) -> Iterator[tuple[Action, Change]]:
        for action in self.actions:
            for change in action.changes if action.verb in ("create", "update") else ():
                if change.ref.kind == external_table.KIND:
                    yield action, change

    def _rehearsal(self, change: Change) -> Read | str:
        """The dry run, or why there is none."""
        request = external_table.rehearsal(change, self.scope)
        if isinstance(request, str):
            return request
        if late := next(request_unknowns(request), None):
            return f"{late} is known after apply"
        try:
            bound = bind(request, lambda leaf: None, self.secrets)
        except KxreconError as error:
            return str(error)
        return Read("kusto", request.target, "".join(map(str, bound.text)))

    def _waits(self, action: Action) -> list[str]:
        """What this plan does first, so that the definition can be accepted."""
        before = {one.id: one for one in self.actions}
        refs = [ref for name in action.after if name in before for ref in before[name].refs]
        return sorted(ref.label for ref in refs if ref.kind in FIRST)


def _accepted(judgements: Sequence[Judgement], words: tuple[str, str]) -> str:
    """``9 of 13 queries``."""
    number = sum(not one.findings and not one.unchecked for one in judgements)
    return f"{number} of {len(judgements)} {words[len(judgements) != 1]}"


def _query(export: Export, doubts: Sequence[str], answer: Answer) -> Judgement:
    label, path = export.entity.ref.label, (*export.entity.path, "query")
    columns = _schema(answer)
    if isinstance(columns, Failure):
        if not _refuses(columns):
            return Judgement(unchecked=(f"{label}: the server did not judge the query: {columns.message}",))
        if doubts:
            why = f"the server refuses the query, perhaps because this plan changes {', '.join(doubts)}"
            return Judgement(unchecked=(f"{label}: {why}: {columns.message}",))
        said = f"the server refuses the query: {columns.message}"
        return Judgement((Lint(QUERY.code, QUERY.severity, label, said, "correct the query", path),))
    differs = difference(columns, export.wanted) if export.wanted else ""
    if differs and doubts:
        why = f"to the server, which does not see yet how this plan changes {', '.join(doubts)}, {differs}"
        return Judgement(unchecked=(f"{label}: {why}",))
    found = (Lint("KX101", "error", label, f"{differs} (says the server)", PROJECT, path),) if differs else ()
    return Judgement(found, frozenset({label}))


def _table(world: World, ref: Ref, answer: Answer, waits: Sequence[str], *, wrote: bool) -> Judgement:
    entity = world.desired.entities[ref]
    if wrote:
        said = "it is not what it was before the dry run: that wrote, or somebody else did at the same time"
        remedy = "look at it with .show external table; plan again"
        return Judgement((Lint(WROTE.code, WROTE.severity, ref.label, said, remedy, entity.path),))
    if not isinstance(answer, Failure):
        return Judgement()
    if waits and (_refuses(answer) or answer.reason == "denied"):
        why = f"the server refuses the definition, perhaps because this plan makes {', '.join(waits)} first"
        return Judgement(unchecked=(f"{ref.label}: {why}: {answer.message}",))
    if not _refuses(answer):
        return Judgement(unchecked=(f"{ref.label}: the server did not judge the definition: {answer.message}",))
    said = f"the server refuses the external table: {answer.message}"
    return Judgement((Lint(TABLE.code, TABLE.severity, ref.label, said, "correct the definition", entity.path),))


def _refuses(failure: Failure) -> bool:
    """Whether a failure says that the request itself is wrong: not a missing right, a lost line, a busy cluster."""
    return failure.reason in ("absent", "failed") and failure.code.startswith(_REFUSALS)


def _schema(answer: Answer) -> Columns | Failure:
    """The columns that ``getschema`` tells, in their order."""
    if isinstance(answer, Failure):
        return answer
    places = [answer.index(name) for name in SCHEMA] if isinstance(answer, Table) else [None]
    if not isinstance(answer, Table) or None in places:
        return Failure("failed", "the answer is none of getschema", "MalformedAnswer")
    rows = ([row[place] for place in places if place is not None] for row in answer.rows)
    ordered = sorted(rows, key=lambda row: int(row[0]))
    return tuple((str(name), kql.canonical_type(str(kind)) or str(kind)) for _, name, kind in ordered)


def _differ(before: Answer, after: Answer, ref: Ref) -> bool:
    """Whether an external table is shown in another way than before."""
    return isinstance(before, Table) and isinstance(after, Table) and _row(before, ref) != _row(after, ref)


def _row(answer: Table, ref: Ref) -> list[object] | None:
    name = answer.index("TableName", "Name")
    return next((list(row) for row in answer.rows if name is not None and row[name] == ref.name[1]), None)
