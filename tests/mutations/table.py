"""The mistakes: in what kinds render and read, in what planes merge, in what the sandbox answers.

Each names its place, the old text (once in its file), the new one, and the tests that are asked, witnesses
first: the first of them to fail is the one that caught it. ``drawn`` adds more of two sorts, by a seed.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.witness.grammar.templates import templates

PACKAGE = Path(__file__).parents[2] / "kxrecon"
GRAMMAR = "witness/grammar"
TEMPLATES = f"{GRAMMAR}/test_templates.py"
COLUMNS = "sandbox/kusto/test_kusto_columns.py"
DIFFERENTIAL = "sandbox/kusto/test_kusto_differential.py"
ARM = "witness/arm"
JAVASCRIPT = "witness/javascript"
FACTS = "facts"
KUSTO = "sandbox/kusto"
CASES = "kinds/test_cases.py"
LINKS = "kinds/test_links.py"


@dataclass(frozen=True)
class Mutation:
    """``old`` becomes ``new`` in ``file`` (below kxrecon/); ``what`` says it in words; ``tests`` are below tests/."""

    file: str
    what: str
    old: str
    new: str
    tests: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.file}: {self.what}"


def _in(file: str, tests: tuple[str, ...], *changes: tuple[str, str, str]) -> list[Mutation]:
    return [Mutation(file, *change, tests) for change in changes]


_RENDERED: list[Mutation] = [
    *_in(
        "kql.py",
        (GRAMMAR, CASES),
        (
            "quotes in names are not escaped",
            "{name.translate(_SINGLE) if _NEEDS_ESCAPE.search(name) else name}",
            "{name}",
        ),
        ("quotes in verbatim literals are not doubled", 'return text.replace("\'", "\'\'")', "return text"),
        ("line breaks are let into verbatim literals", "return bool(_LINE_BREAK.search(text))", "return not text"),
        (
            "a text that ends in a backtick goes between fences",
            'and "`" not in (text[0], text[-1]) and',
            "and",
        ),
        ("a secret is not obfuscated", 'return command("h", quoted(*parts))', "return quoted(*parts)"),
        ("booleans are written large", 'return "true" if value else "false"', 'return "True" if value else "False"'),
    ),
    *_in(
        "kql_time.py",
        (GRAMMAR, "kql"),
        (
            "timespans are bare clocks, which Kusto refuses",
            'return f"time({show_timespan(ticks)})"',
            "return show_timespan(ticks)",
        ),
        ("an hour has the ticks of a minute", "60 * SECOND, 3_600 * SECOND", "60 * SECOND, 60 * SECOND"),
    ),
    *_in(
        "kinds/kusto/_export_command.py",
        (GRAMMAR, CASES),
        ("the identity of an export is a bare word", "return kql.string(value) if", "return value if"),
        ("the query of an export follows a pipe", '" <| {fields[', '" | {fields['),
        ("an export is made without or-alter", 'f".create-or-alter continuous-export', 'f".create continuous-export'),
        (
            "fact tables stand behind the target",
            "continuous-export {kql.identifier(name)}{over} to",
            "continuous-export {kql.identifier(name)} to",
        ),
        (
            "isDisabled is left out of a definition",
            '    yield "isDisabled", kql.literal(bool(fields.get("isDisabled")))\n',
            "",
        ),
        ("a query is sent to the wrong switch", 'verb = "disable" if change', 'verb = "enable" if change'),
    ),
    *_in(
        "kinds/kusto/external_table.py",
        (GRAMMAR, CASES),
        (
            "the table of a SQL target is a bare name",
            " table={kql.identifier(fields['table'])}",
            " table={fields['table']}",
        ),
        ("the format stands in quotes", "dataformat={fields['dataFormat']} (", "dataformat='{fields['dataFormat']}' ("),
        ("compressed is not read back", 'compressed = bool_cell(found.get("compressed"))', "compressed = False"),
    ),
    *_in(
        "kinds/kusto/_connections.py",
        (GRAMMAR, CASES),
        ("impersonation has another keyword", '{uri};impersonate",))', '{uri};impersonation",))'),
        ("the masked suffix counts as a key", 'if not suffix.strip("*"):', "if suffix is None:"),
    ),
    *_in(
        "kinds/kusto/managed_identity_policy.py",
        (GRAMMAR, CASES),
        ("usages are replaced, not merged", 'f".alter-merge {entity} policy', 'f".alter {entity} policy'),
        ("only the documented column is read", '"Policy|Policies"', '"Policies"'),
        ("usages are joined by semicolons", '"AllowedUsages": ", ".join', '"AllowedUsages": "; ".join'),
    ),
    *_in(
        "kinds/kusto/database_role.py",
        (GRAMMAR, CASES, LINKS),
        ("a principal is set, not added", "'drop' if gone else 'add'", "'drop' if gone else 'set'"),
        (
            "the note stands before the principals",
            '{role} (", principal, f"){note}")',
            '{role}{note} (", principal, ")")',
        ),
        ("roles of the cluster count as the database's", 'if role.startswith("All"):', 'if role.startswith("Every"):'),
    ),
    *_in(
        "kinds/kusto/_reads.py",
        (GRAMMAR, COLUMNS, CASES),
        ("the script is asked for in one word", "schema as csl script with", "schema as cslscript with"),
        (
            "a wildcard policy is asked in another order",
            ".show table * policy {policy}",
            ".show policy {policy} table *",
        ),
    ),
    *_in(
        "kinds/arm/role_assignment.py",
        (ARM, CASES, LINKS),
        ("a managed identity is called a user", '"principalType": "ServicePrincipal"', '"principalType": "User"'),
        (
            "the definition's path has no type",
            "Microsoft.Authorization/roleDefinitions/{guid}",
            "Microsoft.Authorization/{guid}",
        ),
        (
            "a condition is trusted",
            'if row is None or (row.fields["condition"] and not',
            "if row is None or (False and not",
        ),
    ),
    *_in(
        "kinds/sql/sql_grant.py",
        ("sandbox/sql", CASES, LINKS),
        ("revoking names the user after TO", '("REVOKE", "FROM")', '("REVOKE", "TO")'),
        ("a DENY is not looked for", 'if name in (permission, "CONTROL") and where', 'if name == "CONTROL" and where'),
    ),
    *_in(
        "kinds/sql/sql_user.py",
        (CASES, LINKS, "planes/test_planes_on_sandbox.py"),
        ("a user by SID has no type", '", TYPE = E"', '""'),
    ),
    *_in(
        "kinds/sql/_reads.py",
        (CASES, LINKS),
        ("a grant on a column counts for its table", 'in ("G", "W") and not int(row["minor_id"]):', 'in ("G", "W"):'),
    ),
]

_AROUND: list[Mutation] = [
    *_in(
        "verify/status.py",
        ("verify/test_status.py",),
        ("a resource that has no capacity", ".show capacity data-export", ".show capacity exports-data"),
    ),
    *_in("verify/blame.py", (GRAMMAR,), ("journals in the plural", ' journal")', ' journals")')),
    *_in(
        "verify/chain.py",
        ("verify/test_broken_chains.py",),
        ("a person is told to enable something else", 'f".enable continuous-export ', 'f".enable export '),
    ),
    *_in(
        "permissions.py",
        ("estates/test_permissions.py",),
        ("the caller's roles are asked for in another order", '".show principal roles"', '".show roles principal"'),
    ),
    *_in(
        "cursors.py",
        (GRAMMAR,),
        (
            "a bounded export says async behind its target",
            'f".export async to table {kql.identifier',
            'f".export to async table {kql.identifier',
        ),
    ),
    *_in(
        "kinds/kusto/table.py",
        (GRAMMAR, CASES),
        ("a folder is a property", ".alter table {name} folder ", ".alter table {name} with folder="),
    ),
    *_in(
        "kinds/kusto/function.py",
        (GRAMMAR, CASES),
        ("options without WITH", 'f" with ({properties})"', 'f" ({properties})"'),
    ),
    *_in(
        "kinds/arm/cluster_role.py",
        (ARM, CASES),
        ("a principal of another kind", '"principalType": "App"', '"principalType": "ServicePrincipal"'),
    ),
]

_PLANES: list[Mutation] = [
    *_in(
        "planes/kusto.py",
        ("planes/test_plane_kusto.py",),
        ("reads do not say that they only read", '"request_readonly", True', '"request_readonly", False'),
    ),
    *_in(
        "planes/acl.py",
        ("planes/test_plane_acl.py",),
        ("the mask is not widened", "result[mask] = _union([result[mask], *needed])", "result[mask] = result[mask]"),
        ("a default list has no owner", 'for kind in ("user", "group", "other"):', 'for kind in ("group", "other"):'),
    ),
    *_in(
        "planes/arm_identity.py",
        (ARM, "planes/test_plane_arm.py", "planes/test_planes_on_sandbox.py"),
        ("the type forgets the system identity", '(["SystemAssigned"] if SYSTEM in after else [])', "[]"),
        ("If-Match is not sent", "if etag else {}", "if not etag else {}"),
        ("ids are compared with their letter case", "held = {key.lower(): key for", "held = {key: key for"),
    ),
]

_ANSWERED: list[Mutation] = [
    *_in(
        "sandbox/body.py",
        ("sandbox/fuzz",),
        ("half a surrogate pair is let in", "    if escaped:", "    if not escaped:"),
    ),
    *_in(
        "sandbox/dfs.py",
        ("sandbox/fuzz", "sandbox/dfs"),
        ("a refusal has its code in the body only", '{"x-ms-error-code": refusal.code}', "{}"),
    ),
    *_in(
        "sandbox/kusto/service.py",
        (FACTS, KUSTO),
        ("a request that only reads may write", "if _only_reads(properties) and", "if not properties and"),
    ),
    *_in(
        "sandbox/kusto/answers.py",
        (JAVASCRIPT, KUSTO, "planes/test_planes_on_sandbox.py"),
        ("a query's answer has no primary result", 'frame(1, "PrimaryResult", ', 'frame(1, "SecondaryResult", '),
        ("a query's answer ends with a word of its own", '"HasErrors": False', '"Errors": False'),
        ("the table of contents names no primary result", '"QueryResult", "PrimaryResult"', '"QueryResult", "Result"'),
        ("a number that is none leaves as it is", 'return "NaN" if isnan(cell)', "return cell if isnan(cell)"),
    ),
    *_in(
        "sandbox/kusto/principals.py",
        (KUSTO,),
        ("an application has another type", '"ServicePrincipal": "AAD Application"', '"ServicePrincipal": "AAD App"'),
    ),
    *_in(
        "sandbox/wire.py",
        ("sandbox/server",),
        ("an answer has no activity", 'response.headers["x-ms-activity-id"]', 'response.headers["x-ms-activity"]'),
    ),
    *_in(
        "sandbox/kusto/grammar/shared.lark",
        (DIFFERENTIAL,),
        ("a text is a type", 'WORD_STRING: "string"\n', ""),
    ),
    *_in(
        "sandbox/arm/clusters.py",
        (ARM,),
        (
            "a cluster has no location",
            '        "location": document.get("location", "West Europe"),\n        "tags"',
            '        "tags"',
        ),
        ("a field that the contract does not have", '"stateReason": ""', '"stateReasons": ""'),
        (
            "an accepted change is a 204",
            "return Answer(answer, 202, operations.links",
            "return Answer(answer, 204, operations.links",
        ),
        ("a flag is a text", '"enablePurge": False', '"enablePurge": "false"'),
    ),
    *_in(
        "sandbox/arm/assignments.py",
        (ARM,),
        (
            "a role assignment is answered flat",
            '        "properties": properties,\n        "id"',
            '        **properties,\n        "id"',
        ),
        (
            "creating is a 202",
            "describe(call.world, scope, name, document), 201)",
            "describe(call.world, scope, name, document), 202)",
        ),
    ),
    *_in(
        "sandbox/arm/operations.py",
        (ARM,),
        (
            "an operation says what it has not: a state",
            '"operationState": "Completed" if done',
            '"state": "Completed" if done',
        ),
        (
            "an operation's progress is a text",
            '"percentComplete": 100.0 if done else 50.0',
            '"percentComplete": "all" if done else "half"',
        ),
    ),
    *_in(
        "sandbox/inventory.py",
        (ARM,),
        ("a state that the contract does not have", 'entry.get("state", "Running")', 'entry.get("state", "Up")'),
    ),
    *_in(
        "sandbox/arm/errors.py",
        (ARM,),
        ("an error has another envelope", 'return {"error": {"code"', 'return {"fault": {"code"'),
    ),
    *_in(
        "sandbox/kusto/grammar/exports.lark",
        (DIFFERENTIAL,),
        (
            "names of fact tables need no commas",
            '"(" name ("," name)* ")"\n\n// ---- external',
            '"(" name (","? name)* ")"\n\n// ---- external',
        ),
        (
            "a second TO is fine",
            '"to" "table" a_to [properties] a_query -> export_set',
            '"to"+ "table" a_to [properties] a_query -> export_set',
        ),
    ),
    *_in(
        "sandbox/kusto/answers.py",
        (COLUMNS, KUSTO),
        (
            "columns are answered with their .NET type",
            '"ColumnType": kind} for column, kind in table',
            '"ColumnType": DATA_TYPE[kind]} for column, kind in table',
        ),
    ),
    *_in(
        "sandbox/kusto/exports.py",
        (COLUMNS, FACTS, KUSTO),
        ("spans are shown as ticks", "None if latency is None else clock(latency)", "latency"),
        ("properties keep their camelCase", "name[0].upper() + name[1:]: value", "name: value"),
    ),
    *_in(
        "sandbox/kusto/connections.py",
        (FACTS, KUSTO),
        ("keys are shown in clear", 'HIDDEN = {"password", "pwd", "accountkey"}', 'HIDDEN = {"pwd", "accountkey"}'),
    ),
    *_in(
        "sandbox/kusto/errors.py",
        (FACTS, KUSTO),
        ("a missing role is a 401", "    status = 403\n", "    status = 401\n"),
    ),
]

_DECLARED = re.compile(r'columns\(\s*f?"([^"{]+)"')
_WORD = re.compile(r"[a-z]{4,}")
SEED, EACH = 20261124, 8
DRAWN = 2 * EACH


def drawn(seed: int = SEED) -> Iterator[Mutation]:
    """Columns of answers, each renamed, moved or retyped, and words of commands, misspelled."""
    rng = random.Random(seed)
    columns = [
        (file.relative_to(PACKAGE).as_posix(), found[1])
        for file in sorted((PACKAGE / "sandbox" / "kusto").glob("*.py"))
        for found in _DECLARED.finditer(file.read_text("utf-8"))
        if found[1].count(":") > 2 and file.read_text("utf-8").count(found[1]) == 1
    ]
    for file, declared in sorted(rng.sample(columns, EACH)):
        yield _spoiled(file, declared, rng)
    commands = [
        (one.file, one.parts[0])
        for one in templates()
        if (PACKAGE / one.file).read_text("utf-8").count(one.parts[0]) == 1 and _WORD.search(one.parts[0])
    ]
    for file, command in sorted(rng.sample(commands, EACH)):
        yield _misspelled(file, command, rng)


def _spoiled(file: str, declared: str, rng: random.Random) -> Mutation:
    columns = [part.strip() for part in declared.strip(" ,").split(",")]
    at = rng.randrange(len(columns) - 1)
    name, _, kind = columns[at].partition(":")
    how = rng.choice(("renamed", "moved", "retyped"))
    if how == "moved":
        columns[at], columns[at + 1] = columns[at + 1], columns[at]
    else:
        columns[at] = f"{name}s:{kind}" if how == "renamed" else f"{name}:{'long' if kind == 'string' else 'string'}"
    tail = declared[len(declared.rstrip(" ,")) :]
    return Mutation(file, f"column {name} is {how}", declared, ", ".join(columns) + tail, (COLUMNS, KUSTO))


def _misspelled(file: str, command: str, rng: random.Random) -> Mutation:
    found = rng.choice(list(_WORD.finditer(command)))
    wrong = found[0][1:] + found[0][0]
    spoiled = command[: found.start()] + wrong + command[found.end() :]
    return Mutation(file, f"'{found[0]}' is '{wrong}' in '{command.strip()}'", command, spoiled, (TEMPLATES, GRAMMAR))


_REMEMBERED: list[Mutation] = [
    *_in(
        "ledger/judge.py",
        ("ledger/test_laws.py",),
        ("a write that nobody saw end is forgotten", "if entry.event == TRIED:", "if not entry.event:"),
        ("a rotated secret is not seen", "now is not None and now != entry.written[name]", "now is None"),
        (
            "what the journal knows is not asked",
            'self.foreign(ref, entry) if entry.sound else ""',
            '"" if entry.sound else ""',
        ),
    ),
    *_in(
        "ledger/seal.py",
        ("ledger/test_laws.py", "ledger/test_seal.py"),
        ("a secret gets a hash without a key", "if not self.key and holds_secret(value):", "if not value:"),
        (
            "equal secrets look equal everywhere",
            "(side, self.cluster, ref.kind, ref.name, name, value)",
            "(side, value)",
        ),
    ),
    *_in(
        "ledger/rows.py",
        ("ledger/test_laws.py",),
        ("lines before damage are believed", "place > damaged and row.event in EVENTS", "row.event in EVENTS"),
    ),
    *_in(
        "ledger/book.py",
        ("ledger/test_laws.py",),
        ("two applies at once both know best", "if _ref(row) in contested else row", "if _ref(row) == () else row"),
    ),
    *_in(
        "ledger/record.py",
        ("ledger/test_laws.py",),
        (
            "what was not sent stays in doubt",
            "return self.frame.entry(at, VOID) if before is None else before",
            "return None",
        ),
    ),
    *_in(
        "ledger/owners.py",
        ("ledger/test_ownership.py",),
        ("the first owner stays one for ever", "owner[ref] = entry", "owner.setdefault(ref, entry)"),
    ),
    *_in(
        "ledger/file.py",
        ("ledger/test_file.py",),
        ("a piece of a line stays in the middle", "if whole < size:", "if whole > size:"),
    ),
]


def listed() -> list[Mutation]:
    """The mistakes that somebody thought of."""
    return [*_RENDERED, *_AROUND, *_PLANES, *_ANSWERED, *_REMEMBERED]


def every() -> list[Mutation]:
    """All mistakes: those that somebody thought of, then those that are drawn from the code as it is."""
    return [*listed(), *drawn()]
