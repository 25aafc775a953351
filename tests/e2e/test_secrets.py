"""Every form of secret, planted and looked for in everything that kxrecon says or writes."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import subprocess
import threading
from pathlib import Path
from urllib.parse import quote

import pytest

from kxrecon import cli
from kxrecon.sandbox.store import Store
from tests.laws.estates import HEAD

COLUMNS = "Timestamp:datetime, Level:string"
SECRETS = {
    "sas": "sv=2022-11-02&ss=b&sig=Zm9vYmFyPLANTED1%2Bx%3D",
    "key": "UExBTlRFRDJQTEFOVEVEMlBMQU5URUQyUExBTlRFRDI=+/Q==",
    "shared": "PLANTED3UExBTlRFRDNQTEFOVEVEM1BMQU5URUQzPLANTED3==",
    "token": "eyJ0eXAiOiJKV1Q.PLANTED4.c2lnbmF0dXJl-_",
    "password": "PLANTED5;p'a\"ss{w}ord\\",
    "raw": "sv=1&sig=PLANTED6%2F%2B",
}
LEDGER_KEY = "PLANTED7-of-the-ledger"
HOST = "https://contosoexport.blob.core.windows.net/events"


def reference(name):
    return f"${{{name}}}"


SPEC = {
    **HEAD,
    "name": "secrets",
    "variables": {name: {"secret": True} for name in SECRETS},
    "targets": {
        "sas": {"url": HOST, "auth": "sas", "secret": reference("sas")},
        "key": {"url": HOST, "auth": "key", "secret": reference("key")},
        "shared": {
            "url": "https://contosolake.dfs.core.windows.net/archive",
            "auth": "sharedKey",
            "secret": reference("shared"),
        },
        "token": {"url": HOST, "auth": "token", "secret": reference("token")},
        "dwh": {
            "server": "contoso.database.windows.net",
            "database": "Dwh",
            "auth": "password",
            "user": "writer",
            "password": reference("password"),
        },
    },
    "databases": {
        "Telemetry": {
            "tables": {"Events": {"columns": COLUMNS}},
            "externalTables": {
                **{
                    name.title(): {"kind": "storage", "columns": COLUMNS, "target": name, "dataFormat": "csv"}
                    for name in ("sas", "key", "shared", "token")
                },
                "Dwh": {"kind": "sql", "columns": COLUMNS, "target": "dwh", "table": "dbo.T"},
                "Raw": {
                    "kind": "storage",
                    "columns": COLUMNS,
                    "dataFormat": "csv",
                    "connections": [f"{HOST}?{reference('raw')}"],
                },
            },
            "continuousExports": {
                "Job": {"over": ["Events"], "to": "Sas", "query": "Events", "intervalBetweenRuns": "10m"}
            },
        }
    },
}


def forms(value: str) -> set[str]:
    """The spellings in which a secret could slip out."""
    pieces = {value, *(part for part in value.replace("&", ";").split(";") if "PLANTED" in part)}
    pieces |= {piece.split("=", 1)[-1] for piece in pieces if piece.startswith("sig=")}
    spelled = (
        {quote(one) for one in pieces}
        | {quote(one, safe="") for one in pieces}
        | {json.dumps(one)[1:-1] for one in pieces}
    )
    return pieces | spelled | {base64.b64encode(value.encode()).decode()} | {value.replace("'", "''")}


class Listener:
    """Everything that was said, and everything that lies in the folder, but for Azure's own memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.heard = ""

    def run(self, *argv: str) -> int:
        told = io.StringIO()
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            code = cli.main([*argv])
        self.heard += told.getvalue()
        return code

    def clean(self) -> None:
        texts = {"what was said": self.heard}
        for path in self.folder.rglob("*"):
            if path.is_file() and not path.name.startswith("sandbox."):
                texts[path.name] = path.read_bytes().decode(errors="replace")
        texts["process arguments"] = subprocess.run(
            ["ps", "-eo", "args"], capture_output=True, text=True, check=True
        ).stdout
        for name, value in {**SECRETS, "ledger": LEDGER_KEY}.items():
            for form in forms(value):
                for place, text in texts.items():
                    assert form not in text, f"{name} is in {place}: …{text[max(0, text.index(form) - 200) :][:260]}…"


@pytest.fixture
def listener(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, value in SECRETS.items():
        monkeypatch.setenv(f"KXRECON_VAR_{name}", value)
    Path("spec.yaml").write_text(json.dumps(SPEC))
    return Listener(tmp_path)


def weather(folder: Path, *rules: dict) -> None:
    """Bad days from now on."""
    store = Store(folder / ".kxrecon" / "sandbox.db")
    store.put("meta", ("weather",), {"rules": list(rules)})
    store.close()


def test_no_secret_in_anything_said_or_written(listener):
    assert listener.run("validate", "spec.yaml") == 0, listener.heard
    assert listener.run("render", "spec.yaml") == 0
    for form in ((), ("--json",), ("--markdown",), ("--brief",)):
        assert listener.run("plan", "spec.yaml", "--sandbox", *form) == 0
    assert listener.run("apply", "--sandbox", "--yes") == 0, listener.heard
    assert listener.run("drift", "spec.yaml", "--sandbox", "--json") == 0
    store = Store(listener.folder / ".kxrecon" / "sandbox.db")
    written = json.dumps([one for _, one in store.all("external_table")]) + json.dumps(
        [one for _, one in store.all("journal")]
    )
    for key, _ in store.all("external_table"):
        store.delete("external_table", *key)
    store.close()
    assert "PLANTED1" in written or "PLANTED5" in written or "****" in written
    assert listener.run("plan", "spec.yaml", "--sandbox") == 0
    assert listener.run("apply", "--sandbox", "--yes", "--json") == 0, listener.heard
    listener.clean()


AFTERWARDS = """
plan spec.yaml --html plan.html --out again.json --handover handover
plan spec.yaml --reassert --json
drift spec.yaml --ignore Telemetry/Job=seen
verify spec.yaml
verify spec.yaml --json
verify spec.yaml --markdown
verify spec.yaml --html verify.html
status spec.yaml
status spec.yaml --json --html status.html
status spec.yaml --openmetrics --artifacts
graph spec.yaml --mermaid
graph spec.yaml --dot
graph spec.yaml --svg
explain spec.yaml Telemetry/Job
lint spec.yaml --connected
permissions spec.yaml --check
history spec.yaml --json
rotate target spec.yaml --from sas --to https://newexport.blob.core.windows.net/events
import --cluster https://telemetry.westeurope.kusto.windows.net --out imported
"""


def test_no_secret_from_any_verb_nor_the_key_of_the_ledger(listener, monkeypatch):
    monkeypatch.setenv("KXRECON_LEDGER_KEY", LEDGER_KEY)
    Path("spec.yaml").write_text(json.dumps({**SPEC, "ledger": {"file": "ledger.jsonl"}}))
    assert listener.run("apply", "spec.yaml", "--sandbox", "--yes") == 0, listener.heard
    assert listener.run("sandbox", "tick", "--times", "2", "--advance", "20m") in (0, 2), listener.heard
    for line in AFTERWARDS.strip().splitlines():
        before = len(listener.heard)
        code = listener.run(*line.split(), "--sandbox")
        assert code in (0, 1, 2) and len(listener.heard) > before, (line, code, listener.heard[-500:])
    written = {one.name for one in listener.folder.iterdir()}
    assert written >= {"plan.html", "verify.html", "status.html", "ledger.jsonl", "imported"}
    listener.clean()


@pytest.mark.parametrize("name", list(SECRETS))
def test_no_secret_in_a_refusal_that_repeats_it(listener, name):
    listener.run("plan", "spec.yaml", "--sandbox")
    message = f"Syntax error: the query could not be parsed near '(h@'https://x;{SECRETS[name]}')'"
    weather(
        listener.folder,
        {"event": "refused", "operation": ".create-or-alter external", "chance": 1, "message": message},
        {"event": "refused", "operation": ".show external", "at": [3, 4, 5, 6, 7, 8], "message": message},
    )
    for form in ((), ("--json",), ("--markdown",)):
        assert listener.run("apply", "spec.yaml", "--sandbox", "--yes", *form) == 1
    listener.run("drift", "spec.yaml", "--sandbox")
    listener.clean()


@pytest.mark.parametrize("name", list(SECRETS))
def test_no_secret_in_the_log_of_a_defect(listener, monkeypatch, name):
    from kxrecon.commands import _flow

    def defect(*_):
        command = f".create-or-alter … (h@'https://x;{SECRETS[name]}')"
        raise RuntimeError(f"cannot do {command}")

    listener.run("plan", "spec.yaml", "--sandbox")
    monkeypatch.setattr(_flow, "plan_over", defect)
    assert listener.run("plan", "spec.yaml", "--sandbox") == 3
    assert "unexpected RuntimeError" in listener.heard
    listener.clean()


def test_a_secret_given_on_the_command_line_is_not_repeated(listener, monkeypatch):
    monkeypatch.delenv("KXRECON_VAR_token")
    value = SECRETS["token"]
    assert listener.run("plan", "spec.yaml", "--sandbox", "--var", f"token={value}") == 0
    assert listener.run("apply", "--sandbox", "--yes", "--var", f"token={value}") == 0
    listener.run("plan", "spec.yaml", "--sandbox", "--var", f"token={value}", "--var", f"tokn={value}")
    listener.run("plan", "spec.yaml", "--var", f"token={value}", "--nonsense", f"--var=token={value}")
    listener.run("plan", "spec.yaml", "--var", f"={value}")
    listener.clean()


def test_a_missing_secret_is_named_and_nothing_is_sent_with_it(listener, monkeypatch):
    listener.run("plan", "spec.yaml", "--sandbox")
    monkeypatch.delenv("KXRECON_VAR_sas")
    assert listener.run("apply", "--sandbox", "--yes") == 1
    assert "secret variable 'sas' has no value" in listener.heard
    assert threading.active_count() < 50
