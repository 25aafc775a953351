"""Mistakes made on purpose, one at a time, in a copy of the package: each has to make a test fail."""
