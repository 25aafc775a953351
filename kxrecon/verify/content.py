"""The links between query, fact tables and external table: they exist, fit together, and may be exported.

("learn.microsoft.com, Continuous data export", limitations; "Row level security"; "Restricted view access".)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kxrecon import kql
from kxrecon.kql_text import Token, local, significant
from kxrecon.lint.columns import Columns, flow, result
from kxrecon.lint.results import difference
from kxrecon.model import Entity, Failure, Hidden, Ref
from kxrecon.report.values import value
from kxrecon.verdicts import Fix, Link, broken, holds, unknown
from kxrecon.verify import fixes, reads
from kxrecon.verify.known import Known, Subject

WITHOUT = "install kxrecon[kql], or ask the server with kxrecon lint --server-check"
FORMATS = ("csv", "tsv", "json", "parquet")


def external_table(subject: Subject) -> Link:
    """The external table exists, in a format that is exported to."""
    known, name = subject.known, str(subject.export.fields.get("to"))
    ref = Ref("external_table", (subject.database, name))
    if subject.table is None:
        wanted = known.desired.entities.get(ref)
        mend = fixes.creation(wanted, known) if wanted else (Fix("person", f"create external table '{name}'"),)
        return broken(f"external table '{name}' does not exist in database '{subject.database}'", *mend)
    if ref not in known.observed.entities:
        return unknown(f"external table '{name}' {known.hidden(ref)}")
    form = str(subject.table.fields.get("dataFormat") or "").lower()
    if subject.table.fields.get("kind") == "storage" and form not in FORMATS:
        text = f"external table '{name}' has the format {form}, which continuous export does not write"
        return broken(text, *_table_definition(subject), Fix("person", f"give it one of {', '.join(FORMATS)}"))
    return holds(f"external table '{name}' exists")


def _table_definition(subject: Subject) -> tuple[Fix, ...]:
    changed = subject.table is not None and subject.table.ref in subject.known.changes
    return fixes.definition(subject.known) if changed else ()


def schema(subject: Subject) -> Link:
    """The query gives exactly the external table's columns: names, types and order."""
    if subject.table is None:
        return unknown("not reached: there is no external table")
    query = subject.export.fields.get("query")
    if not isinstance(query, str):
        return unknown("the query is not shown whole: it holds an obfuscated text")
    wanted: Columns = tuple(subject.table.fields.get("columns") or ())
    found = result(flow(significant(query), subject.database, subject.known.stored), _tables(subject.known))
    if found is None or not _typed(found):
        known, why = _spoken(query, subject)
        found = known or found
    if found is None:
        if subject.failed_with("schema", "was not found", "syntax", "semantic", "failed to resolve"):
            return broken(f"the service says: {subject.failure}", *_mend_schema(subject))
        return unknown(f"the query's result columns are more than can be derived here: {why}")
    differs, typed = difference(found, wanted), _typed(found)
    if differs:
        both = f"the query gives ({value('columns', found)}), the external table has ({value('columns', wanted)})"
        return broken(both if typed else differs, *_mend_schema(subject))
    if not typed:
        return unknown(f"the types of the query's result columns are more than can be derived here: {why}")
    return holds(f"the query gives ({value('columns', found)})")


def _typed(found: Columns) -> bool:
    return all(kind for _, kind in found)


def _spoken(query: str, subject: Subject) -> tuple[Columns | None, str]:
    """The columns as the language service tells them, or why it does not. It is asked last: it takes a second to
    start, and what it does not know of, it may take for something else."""
    if subject.known.language is None:
        return None, WITHOUT
    code = subject.known.language.query(query, subject.database)
    if code.refused:
        return None, f"the language service gave up ({code.refused})"
    wrong = next((one for one in code.diagnostics if one.severity == "Error"), None)
    if wrong is not None:
        return None, f"the language service says: {wrong.message}"
    return code.columns or None, "the language service does not know all that it reads"


def _mend_schema(subject: Subject) -> tuple[Fix, ...]:
    changed = subject.export.ref in subject.known.changes or bool(_table_definition(subject))
    mend = fixes.definition(subject.known) if changed else ()
    return (*mend, Fix("person", "make the query project the external table's columns, in their order"))


def _tables(known: Known) -> Mapping[tuple[str, ...], Columns]:
    return {entity.ref.name: tuple(entity.fields.get("columns") or ()) for entity in known.observed.of_kind("table")}


def fact_tables(subject: Subject) -> tuple[str, ...]:
    """The tables in ``over``; where it is left out, those of its database that the query names."""
    over = subject.export.fields.get("over")
    return tuple(over) if over else tuple(sorted(named(subject, subject.database)))


def named(subject: Subject, database: str) -> set[str]:
    """Tables of a database that the query, or a stored function that it calls, names."""
    texts = [str(subject.export.fields.get("query") or "")]
    functions = subject.known.stored.functions(subject.database)
    words: set[str] = set()
    while texts:
        fresh = _names(local(significant(texts.pop()), subject.database)) - words
        words |= fresh
        texts += [functions[one] for one in fresh if isinstance(functions.get(one), str)]
    tables = (ref.name for ref in subject.known.observed.entities if ref.kind == "table")
    return {table for where, table in tables if where == database and table in words}


def _names(parts: Sequence[Token]) -> set[str]:
    """Words, and what stands quoted in brackets (``['Events']``) where it is no part of something else."""
    found = {part.text for part in parts if part.kind == "word"}
    for at in range(len(parts) - 2):
        opens, quoted, closes = parts[at : at + 3]
        alone = at == 0 or (parts[at - 1].kind != "word" and parts[at - 1].text not in (")", "]"))
        if alone and (opens.text, quoted.kind, closes.text) == ("[", "string", "]"):
            found.add(quoted.name)
    return found


def facts(subject: Subject) -> Link:
    """Fact tables are there and keep ingestion times; no table that is read has restricted view access."""
    listed = fact_tables(subject)
    if not listed:
        return unknown("no fact table is stated, and the query names no table of its database")
    for name in listed:
        link = _fact(name, subject)
        if link is not None:
            return link
    elsewhere = _elsewhere(listed, subject)
    if elsewhere is not None:
        return elsewhere
    restricted = reads.enabled_tables(subject.known.answers, subject.database, "restricted_view_access")
    if isinstance(restricted, Failure):
        return unknown(f"the restricted view access policies could not be read ({fixes.words(restricted)})")
    for name in sorted({*listed, *named(subject, subject.database)}):
        if restricted.get(name):
            text = f".alter table {kql.identifier(name)} policy restricted_view_access false"
            return broken(f"table '{name}' has restricted view access", Fix("kusto", text, subject.database))
    return holds(f"fact tables with ingestion times: {', '.join(listed)}")


def _elsewhere(listed: Sequence[str], subject: Subject) -> Link | None:
    """That the query reads another database and none of its fact tables, whose cursor then bounds nothing."""
    query = subject.export.fields.get("query")
    source = flow(significant(str(query)), subject.database, subject.known.stored).table
    if source is None or source[0] == subject.database or named(subject, subject.database) & set(listed):
        return None
    text = f"the query reads '{source[1]}' of {source[0]} and none of its fact tables ({', '.join(listed)})"
    remedy = Fix("person", "export in the database that holds the table, or name in over: what the query reads")
    return unknown(f"{text}: fact tables are local, and no cursor says what is new elsewhere", remedy)


def _fact(name: str, subject: Subject) -> Link | None:
    """What is wrong with a fact table; None if nothing is."""
    known, ref = subject.known, Ref("table", (subject.database, name))
    if ref not in known.observed.entities:
        if hidden := known.hidden(ref):
            return unknown(f"table '{name}' {hidden}")
        return broken(f"table '{name}' does not exist in database '{subject.database}'", *_new_table(ref, known))
    policies = reads.enabled_tables(known.answers, subject.database, "ingestiontime")
    if isinstance(policies, Failure):
        return unknown(f"the ingestion time policies could not be read ({fixes.words(policies)})")
    if policies.get(name, True):
        return None
    text = f".alter table {kql.identifier(name)} policy ingestiontime true"
    return broken(f"table '{name}' keeps no ingestion times", Fix("kusto", text, subject.database))


def _new_table(ref: Ref, known: Known) -> tuple[Fix, ...]:
    wanted: Entity | None = known.desired.entities.get(ref)
    if wanted is not None and wanted.fields.get("columns"):
        return fixes.creation(wanted, known)
    return (Fix("person", f"create table '{ref.name[1]}', or take it out of over:"),)


def authentication(subject: Subject) -> Link:
    """The way in which the external table gets in fits the export."""
    if subject.table is None:
        return unknown("not reached: there is no external table")
    forms = [one.get("auth") for one in subject.connections]
    identity = subject.identity
    mend = (*fixes.definition(subject.known), Fix("person", "give the export managedIdentity:"))
    if identity is None and "impersonate" in forms:
        return broken("the external table impersonates, and the export has no managed identity", *mend)
    if identity is None and subject.reads != {subject.database}:
        return broken("the query reads another database, and the export has no managed identity", *mend)
    secured = _secured(subject)
    if isinstance(secured, Failure):
        return unknown(f"the row level security policies could not be read ({fixes.words(secured)})")
    if secured and (identity is None or any(form not in ("impersonate",) for form in forms if isinstance(form, str))):
        text = f"table '{secured}' has row level security: that needs a managed identity and impersonation"
        remedy = Fix("person", "set auth: impersonate on the target and managedIdentity: on the export")
        return broken(text, *_table_definition(subject), remedy)
    if any(isinstance(form, Hidden) for form in forms):
        return unknown("the service masks how the external table gets in: a spec that states it would tell")
    return holds(f"the external table gets in by {', '.join(sorted(set(map(str, forms))))}")


def _secured(subject: Subject) -> str | Failure | None:
    found = reads.enabled_tables(subject.known.answers, subject.database, "row_level_security")
    if isinstance(found, Failure):
        return found
    used = {*fact_tables(subject), *named(subject, subject.database)}
    return next((name for name in sorted(used) if found.get(name)), None)
