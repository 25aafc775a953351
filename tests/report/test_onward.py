"""Command lines that are told to people can be typed as they stand: same specs, same variables, same wire, no secret."""

from __future__ import annotations

import shlex
from argparse import Namespace

import pytest

from kxrecon.cli import main
from kxrecon.commands import _onward
from kxrecon.commands._applied import Ending
from kxrecon.model import Outcome
from kxrecon.plan import Plan
from tests.ground import SPECS

QS = SPECS / "quickstart.yaml"


def plan(wire: str = "sandbox:.kxrecon/sandbox.db", files=("base.yaml", "my prod.yaml"), **variables: str) -> Plan:
    return Plan(wire, "https://x", "s", files, "", "", (), variables=variables)


def test_a_failed_apply_says_how_to_go_on_with_the_same_specs_variables_and_wire():
    failed = (Outcome("a", "failed"),)
    told = Ending(plan(env="pr od"), failed, None, blind="gone").verdict
    assert told.endswith("to go on: kxrecon plan base.yaml 'my prod.yaml' --var 'env=pr od' --sandbox.")
    told = Ending(plan("sandbox:/tmp/x y.db", ("a.yaml",)), failed, None).verdict
    assert told.endswith("to go on: kxrecon plan a.yaml --sandbox-file '/tmp/x y.db'.")
    assert Ending(plan("azure", ("a.yaml",)), failed, None).verdict.endswith("to go on: kxrecon plan a.yaml.")


@pytest.mark.parametrize(
    ("said", "whole"),
    [
        ("x: kxrecon rotate done SPEC --identity exporter", "x: kxrecon rotate done a.yaml --identity exporter --var e=1 --sandbox"),
        (
            "kxrecon import --cluster https://x --export D/E --merge SPEC",
            "kxrecon import --cluster https://x --export D/E --merge a.yaml --sandbox",
        ),
        ("Next: kxrecon permissions SPEC tells more", "Next: kxrecon permissions a.yaml --var e=1 --sandbox tells more"),
        ("no SPEC here", "no SPEC here"),
    ],
)  # fmt: skip
def test_what_leaves_the_specs_open_is_completed(said, whole):
    assert _onward.filled(said, plan(files=("a.yaml",), e="1")) == whole


def test_into_which_of_several_files_people_have_to_say():
    said = "kxrecon import --cluster https://x --merge SPEC"
    assert _onward.filled(said, plan()) == f"{said} --sandbox"


def test_secrets_are_not_repeated():
    options = Namespace(specs=["a.yaml"], variables=["sas=sv=1&sig=x", "env=dev"], sandbox=True, sandbox_file=None)
    said = _onward.completed("kxrecon rotate done SPEC", options, {"sas"})
    assert said == "kxrecon rotate done a.yaml --var env=dev --sandbox"


def test_a_line_that_was_told_works_as_it_was_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["sandbox", "tick", "--sandbox-file", "my box.db"]) == 1
    told = capsys.readouterr().err.partition(": ")[2]
    line = told.partition("kxrecon ")[2].partition(" makes one")[0].replace("SPEC", str(QS))
    assert main(shlex.split(line)) == 0
    assert "kxrecon apply --sandbox-file 'my box.db'" in capsys.readouterr().out
    assert main(["sandbox", "tick", "--sandbox-file", "my box.db"]) == 0
