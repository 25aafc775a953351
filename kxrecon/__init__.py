"""kxrecon: one YAML file in, a running Azure Data Explorer continuous export out."""

__version__ = "0.1.0"
