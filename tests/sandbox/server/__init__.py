"""Tests of the sandbox's server part."""
