"""Taking over what already runs: an estate is read as it is and written down as a spec that a person would like."""
