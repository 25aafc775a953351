"""Any password in a SQL connection string: read back by ADO.NET's rules it is what somebody put into the variable."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kxrecon.kinds.kusto._sql_connection import parse, render
from kxrecon.kql import breaks_line
from kxrecon.kql_text import unquote
from kxrecon.leaves import bind
from kxrecon.model import Request, Secret
from kxrecon.scope import Scope
from kxrecon.tagged import decode, encode

RECORD = {
    "server": "contoso.database.windows.net",
    "database": "Dwh",
    "auth": "password",
    "identity": None,
    "user": "writer",
    "secret": Secret("pwd"),
    "options": {},
}
SCOPE = Scope(name="s", cluster_uri="https://c.kusto.windows.net")


def by_ado_net(text: str) -> dict[str, str]:
    """learn.microsoft.com, SqlConnection.ConnectionString: a value that holds a semicolon or a quote stands in quotes;
    in these, that quote is written twice."""
    found, at = {}, 0
    while at < len(text):
        keyword, _, rest = text[at:].partition("=")
        at += len(keyword) + 1
        quote, value = rest[:1], ""
        if quote not in ('"', "'"):
            value = rest.partition(";")[0]
            at += len(value) + 1
        else:
            at += 1
            while text[at] != quote or text[at + 1 : at + 2] == quote:
                value += text[at]
                at += 2 if text[at] == quote else 1
            assert text[at + 1 : at + 2] in ("", ";"), "the value ends where its quotes end"
            at += 2
        found[keyword.strip().lower()] = value
    return found


@given(st.text(min_size=1).filter(lambda text: not breaks_line(text)))
@example('a;b"c')
@example('";Server=evil;"')
@example("'\"'")
@example(' a="b" ')
def test_a_password_arrives_as_it_is(password):
    request = Request("kusto", "D", render(RECORD, SCOPE))
    bound = bind(request, lambda leaf: None, {"pwd": password}).text[0]
    found = by_ado_net(unquote(bound.removeprefix("h")))
    assert found["password"] == password
    assert (found["user id"], found["server"]) == ("writer", "tcp:contoso.database.windows.net,1433")


def test_the_spec_and_a_plan_name_the_variable_alone():
    text = render(RECORD, SCOPE)
    assert decode(encode(text)) == text and Secret("pwd", '"') in text
    assert parse(["Server=s;Database=d;User Id=u;Password=", Secret("pwd")], SCOPE)["secret"] == Secret("pwd")


@pytest.mark.parametrize("password", ['a;b"c', "'; drop", 'x""y'])
def test_the_service_takes_it(tmp_path, monkeypatch, password):
    from kxrecon import cli
    from tests.ground import SPECS

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KXRECON_VAR_pwd", password)
    text = (SPECS / "quickstart.yaml").read_text()
    text = text.replace(
        "targets:\n",
        'variables: { pwd: { secret: true } }\ntargets:\n  dwh: { server: contoso.database.windows.net, database: Dwh, auth: password, user: writer, password: "${pwd}" }\n',
    )
    text = text.replace(
        "    externalTables:\n",
        '    externalTables:\n      EventsDwh: { kind: sql, target: dwh, table: dbo.Events, columns: "Timestamp:datetime" }\n',
    )
    (tmp_path / "s.yaml").write_text(text)
    assert cli.main(["apply", "s.yaml", "--sandbox", "--yes"]) == 0
