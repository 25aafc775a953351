"""Tests of the sandbox's arm part."""
