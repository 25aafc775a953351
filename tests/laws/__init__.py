"""The laws of kxrecon, on the real code over the sandbox."""
