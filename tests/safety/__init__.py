"""Tests of the promises that docs/safety.md makes."""
