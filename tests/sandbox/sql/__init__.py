"""Tests of the sandbox's sql part."""
