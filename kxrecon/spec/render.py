"""The merged spec as YAML, for ``render``: what overlays, defaults and variables made of the files."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from typing import Any

from kxrecon.model import Secret, Value
from kxrecon.spec.load import Spec, load
from kxrecon.spec.source import SpecPath
from kxrecon.spec.variables import VERBATIM, is_verbatim


def raw_render(
    paths: Sequence[str],
    *,
    variables: Mapping[str, str] | None = None,
    environ: Mapping[str, str] = os.environ,
    origins: bool = False,
) -> str:
    """The merged document as YAML. ``origins`` writes behind each value the file and line that set it.

    Raises SpecError as ``load`` does. Secrets show as the variables that hold them.
    """
    return render(load(paths, variables=variables or {}, environ=environ), origins=origins)


def render(spec: Spec, *, origins: bool = False) -> str:
    """The document of a loaded spec as YAML; see ``raw_render``."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    left_out = ("extends", "defaults", "variables", "$schema")
    document = {key: value for key, value in spec.document.items() if key not in left_out}
    secrets = {name: {"secret": True} for name in spec.secrets}
    yaml.dump(_commented(spec, {"variables": secrets} | document if secrets else document, (), origins), stream)
    return stream.getvalue()


def _commented(spec: Spec, value: Value, path: SpecPath, origins: bool) -> Any:
    """``value`` as ruamel.yaml's round-trip types, which can carry comments and block scalars."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq
    from ruamel.yaml.scalarstring import LiteralScalarString

    if isinstance(value, Secret):
        return f"${{{value.variable}}}"
    if isinstance(value, tuple):  # a connection string with secrets inside
        return "".join(str(_commented(spec, part, path, False)) for part in value)
    if isinstance(value, str):
        verbatim = "${" not in value or (path[-1:] and path[-1] in VERBATIM and is_verbatim(path[:-1]))
        text = value if verbatim else value.replace("${", "$${")
        return LiteralScalarString(text) if "\n" in text else text
    if isinstance(value, list):
        return CommentedSeq([_commented(spec, item, (*path, index), False) for index, item in enumerate(value)])
    if not isinstance(value, dict):
        return value
    result = CommentedMap()
    for key, inner in value.items():
        result[key] = _commented(spec, inner, (*path, key), origins)
        place = spec.place((*path, key)) if origins and not isinstance(inner, dict | list) else None
        if place is not None and not isinstance(result[key], LiteralScalarString):
            result.yaml_add_eol_comment(f"{place.file}:{place.line}", key)
    return result
