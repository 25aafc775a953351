"""The pipelines in docs/: valid by their published schemas, and their commands are ours."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import kubernetes_validate
import pytest
from jsonschema import Draft7Validator
from ruamel.yaml import YAML

from kxrecon import cli

FOLDER = Path(__file__).parents[2] / "docs" / "pipelines"
SCHEMAS = {"github-actions.yml": "github-workflows.json", "azure-pipelines.yml": "azure-pipelines.json"}


def document(name):
    return YAML(typ="safe").load((FOLDER / name).read_text())


def schema(name):
    return json.loads(files("check_jsonschema.builtin_schemas").joinpath("vendor", SCHEMAS[name]).read_text())


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_pipeline_is_valid_by_its_published_schema(name):
    assert [error.message for error in Draft7Validator(schema(name)).iter_errors(document(name))] == []


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schema_would_notice(name):
    broken = document(name) | {"jobs": 7, "stages": 7}
    assert list(Draft7Validator(schema(name)).iter_errors(broken))


def test_the_kubernetes_manifest_is_valid_strictly():
    kubernetes_validate.validate(document("kubernetes-job.yaml"), "1.31", strict=True)
    broken = document("kubernetes-job.yaml")
    broken["spec"]["jobTemplate"]["spec"]["completions"] = "four"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, "1.31", strict=True)


def test_every_pod_has_a_share():
    job = document("kubernetes-job.yaml")["spec"]["jobTemplate"]["spec"]
    (container,) = job["template"]["spec"]["containers"]
    told = {one["name"]: one["value"] for one in container["env"]}
    assert job["completionMode"] == "Indexed"
    assert told["JOB_COMPLETIONS"] == str(job["completions"]) == str(job["parallelism"])


@pytest.mark.parametrize("name", [*SCHEMAS, "kubernetes-job.yaml"])
def test_the_commands_are_ours(name):
    text = (FOLDER / name).read_text().replace("[kxrecon, ", "kxrecon ").replace(", ", " ").replace("]", "")
    found = re.findall(r"\bkxrecon ((?:plan|apply|drift) [^\n>]*)", text)
    assert found
    for line in found:
        words = re.sub(r"\$\{\{.*?\}\}|\$\([\w.]+\)/\$\([\w.]+\)", "1/2", line).split()
        options = cli.parser(words[0]).parse_args(words)
        assert options.verb == words[0] and options.shard in ("1/2", "auto", None)
