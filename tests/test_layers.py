"""The house rules that a linter cannot hold: layers, sizes, names, and that every name says what it is for."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "kxrecon").rglob("*.py"))
NOT_OUR_WORDS = {"manager", "handler", "helper", "util", "utils", "processor", "engine", "info", "base"}
# Interfaces of others that our names have to fit: azure-core, http.server.
THEIRS = {"log_message", "get_token_info"}


def definitions(tree: ast.AST):
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef))


def words(name: str) -> set[str]:
    return set(re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower().split("_"))


def test_imports_point_down_the_layers(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert lint_imports(cache_dir=None, no_cache=True) == 0


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_is_short_and_says_what_it_is_for(path):
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    assert ast.get_docstring(tree)
    assert source.count("\n") <= 400
    for node in definitions(tree):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 50, f"{node.name} is too long"
        assert not words(node.name) & NOT_OUR_WORDS or node.name in THEIRS, f"{node.name} is not one of our words"
    assert "TODO" not in source and "FIXME" not in source
    assert not re.search(r"except Exception:\s+pass", source)
