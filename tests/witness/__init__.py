"""Independent witnesses: what Microsoft publishes judges what kxrecon sends and what the sandbox answers."""
