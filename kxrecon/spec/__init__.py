"""The spec: YAML files, merged and checked, with every problem at its place → the desired State."""

from __future__ import annotations

from kxrecon.spec.load import Spec, load
from kxrecon.spec.render import raw_render

__all__ = ["Spec", "load", "raw_render"]
