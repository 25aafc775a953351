"""``${x}``: where values come from, where they go, and where secrets may stand."""

from __future__ import annotations

import pytest

from kxrecon.errors import SpecError
from kxrecon.model import Secret
from tests.spec.conftest import FRAME, loaded, problems

URL = "https://contoso${env}.blob.core.windows.net/archive"
FRAME_WITH_ENV = FRAME.replace("https://contosolake.blob.core.windows.net/archive", URL)


def url(*names, **options):
    return loaded(*names, **options).document["targets"]["lake"]["url"]


def test_the_command_line_wins_over_the_environment_and_that_over_files(write):
    write(
        base=FRAME_WITH_ENV + "variables: { env: { default: a } }\n",
        top="extends: [base.yaml]\nvariables: { env: b }\n",
    )
    assert url("base") == "https://contosoa.blob.core.windows.net/archive"
    assert url("top") == "https://contosob.blob.core.windows.net/archive"
    assert url("top", environ={"KXRECON_VAR_env": "c"}) == "https://contosoc.blob.core.windows.net/archive"
    outside = {"environ": {"KXRECON_VAR_env": "c"}, "variables": {"env": "d"}}
    assert url("top", **outside) == "https://contosod.blob.core.windows.net/archive"


def test_a_whole_string_keeps_the_type_of_its_variable(write):
    write(
        base=FRAME.replace("10m }", '10m, isDisabled: "${paused}", sizeLimit: "${size}" }')
        + "variables: { paused: { default: false }, size: 200000000 }\n"
    )
    read = loaded("base", variables={"paused": "true"})
    export = read.document["databases"]["Telemetry"]["continuousExports"]["ArchiveEvents"]
    assert (export["isDisabled"], export["sizeLimit"]) == (True, 200000000)


def test_queries_and_bodies_are_never_expanded(write):
    write(
        base=FRAME.replace("query: Events", "query: \"Events | where Level == '${env}'\"").replace(
            "    externalTables:",
            '    functions: { F: { body: "print \'${env} $${env}\'", docString: "${env} $${env}" } }\n    externalTables:',
        )
        + "variables: { env: dev }\n"
    )
    database = loaded("base").document["databases"]["Telemetry"]
    assert database["continuousExports"]["ArchiveEvents"]["query"] == "Events | where Level == '${env}'"
    assert database["functions"]["F"] == {"body": "print '${env} $${env}'", "docString": "dev ${env}"}


def test_aliases_bring_variables_into_other_sections(write):
    write(base=FRAME.replace("name", "name") + 'x-doc: &doc "${env}"\nvariables: { env: dev }\n')
    text = FRAME.replace("    tables:\n      Events: {", "    tables:\n      Events: { docString: *doc,")
    write(top='x-doc: &doc "${env}"\nvariables: { env: dev }\n' + text)
    assert loaded("top").document["databases"]["Telemetry"]["tables"]["Events"]["docString"] == "dev"


@pytest.mark.parametrize(
    ("reference", "declarations", "told"),
    [
        ("${evn}", "{ env: x }", "undeclared variable 'evn' (did you mean 'env'?)"),
        (
            "${other}",
            "{ env: x }",
            "undeclared variable 'other' (declare it under variables, or write $${other} for the text)",
        ),
        ("${}", "{ env: x }", "'${}' names no variable"),
        ("${e v}", "{ env: x }", "'${e v}' names no variable"),
        ("${env", "{ env: x }", "'${' without its '}' (write $${ for a literal ${)"),
        (
            "${env}",
            "{ env: {} }",
            "the variable 'env' has no value (set it in an overlay, with --var env=… or by KXRECON_VAR_env)",
        ),
        ("${key}", "{ key: { secret: true } }", "the secret variable 'key' does not belong here"),
    ],
)
def test_references_that_lead_nowhere(write, reference, declarations, told):
    write(base=FRAME.replace("contosolake", f"contoso{reference}") + f"variables: {declarations}\n")
    found = problems("base")
    assert len(found) == 1
    assert found[0].startswith("base.yaml:4:11: error: ")
    assert told in found[0]


def test_an_overlay_sets_only_what_is_declared(write):
    write(
        base=FRAME_WITH_ENV + "variables: { env: { default: a } }\n",
        top="extends: [base.yaml]\nvariables: { evn: b }\n",
    )
    assert problems("top") == [
        "top.yaml:2:14: error: variable 'evn' gets a value but is not declared (did you mean 'env'?)"
    ]
    assert problems("base", variables={"evn": "x"}) == [
        "base.yaml:1:1: error: --var: no variable 'evn' is declared (did you mean 'env'?)"
    ]


SECRET = "variables: { key: { secret: true } }\n"


def test_secrets_become_leaves_in_authentication_fields(write):
    write(
        base=FRAME.replace("auth: impersonate", 'auth: key, secret: "${key}"').replace(
            "    continuousExports:",
            '      Raw: { kind: storage, columns: "A:long", dataFormat: csv, connections: ["https://c.blob.core.windows.net/a;${key}"] }\n    continuousExports:',
        )
        + SECRET
    )
    spec = loaded("base", environ={"KXRECON_VAR_key": "hush"})
    assert spec.document["targets"]["lake"]["secret"] == Secret("key")
    raw = spec.document["databases"]["Telemetry"]["externalTables"]["Raw"]
    assert raw["connections"] == [("https://c.blob.core.windows.net/a;", Secret("key"))]
    assert spec.secrets["key"] == "hush"
    assert "hush" not in repr(spec)
    assert list(spec.secrets) == ["key"]
    with pytest.raises(KeyError):
        spec.secrets["env"]


def test_the_digest_knows_secrets_only_by_name(write):
    write(base=FRAME.replace("auth: impersonate", 'auth: key, secret: "${key}"') + SECRET)
    one = loaded("base", environ={"KXRECON_VAR_key": "one"})
    two = loaded("base", environ={"KXRECON_VAR_key": "two"})
    none = loaded("base")
    assert one.digest == two.digest == none.digest
    with pytest.raises(SpecError, match="set KXRECON_VAR_key or pass --var key="):
        none.secrets["key"]


def test_a_secret_in_defaults_reaches_every_target(write):
    write(
        base=FRAME.replace(", auth: impersonate", "")
        + 'defaults: { targets: { auth: key, secret: "${key}" } }\n'
        + SECRET
    )
    assert loaded("base").document["targets"]["lake"]["secret"] == Secret("key")


HUSH = "c2VjcmV0LXRoYXQtbXVzdC1ub3Qtc2hvdw=="


@pytest.mark.parametrize(
    "frame",
    [
        FRAME.replace("auth: impersonate", f"auth: key, secret: {HUSH}"),
        FRAME.replace("auth: impersonate", f"auth: key, secret: [{HUSH}]"),
        FRAME.replace("auth: impersonate", f"auth: key, secret: {{ {HUSH}: 1 }}"),
        FRAME.replace("target: lake,", f'connections: ["https://c.blob.core.windows.net/a;{HUSH}"],'),
        FRAME.replace("target: lake,", f'connections: "https://c.blob.core.windows.net/a;{HUSH}",'),
        FRAME.replace("target: lake,", f'connections: ["https://c.blob.core.windows.net/a?sig={HUSH}"],'),
        FRAME.replace("target: lake,", f'connections: ["https://c.dfs.core.windows.net/a;sharedkey={HUSH}"],'),
        FRAME.replace("target: lake,", f'connections: ["https://c.blob.core.windows.net/a;token={HUSH}"],'),
        FRAME.replace("target: lake,", f'connections: ["https://b.s3.eu.amazonaws.com/k;AwsCredentials=id,{HUSH}"],'),
        FRAME.replace("target: lake,", f'connections: ["Server=tcp:c;User Id=u;Password={HUSH}"],'),
        FRAME.replace(
            "contosolake.blob.core.windows.net/archive", f"contosolake.blob.core.windows.net/archive?sig={HUSH}"
        ),
        FRAME.replace("contosolake.blob.core.windows.net/archive", f"contosolake.blob.core.windows.net/archive;{HUSH}"),
        FRAME + f"variables: {{ key: {{ secret: true, default: {HUSH} }} }}\n",
    ],
)
def test_secrets_in_clear_are_refused_and_never_repeated(write, frame):
    write(base=frame)
    found = "\n".join(problems("base"))
    assert "error" in found
    assert HUSH not in found


def test_a_secret_with_a_line_break_is_said_when_the_spec_is_loaded_and_never_repeated(write):
    write(base=FRAME.replace("auth: impersonate", 'auth: key, secret: "${key}"') + SECRET)
    with pytest.raises(SpecError) as caught:
        loaded("base", environ={"KXRECON_VAR_key": f"{HUSH}\n"})
    (problem,) = caught.value.problems
    assert "the secret variable 'key' holds a line break" in problem.message and problem.place is not None
    assert HUSH not in str(caught.value)
