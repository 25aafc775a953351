"""Paths, lists and headers that a lake should never be sent."""

from __future__ import annotations

import random

import pytest

from kxrecon.sandbox.dfs import DfsApp
from tests.sandbox.fuzz.asked import Asked, answered
from tests.sandbox.fuzz.spoil import ROUNDS, wounded
from tests.sandbox.fuzz.test_fuzz_arm import world
from tests.witness.arm import clients
from tests.witness.grammar.names import NASTY

OPERATIONS = [
    ("HEAD", {"action": "getAccessControl"}),
    ("HEAD", {"action": "getStatus"}),
    ("HEAD", {}),
    ("GET", {"resource": "filesystem", "recursive": "true"}),
    ("PATCH", {"action": "setAccessControl"}),
    ("PATCH", {"action": "setAccessControlRecursive", "mode": "modify"}),
    ("PUT", {"resource": "directory"}),
    ("PUT", {"resource": "filesystem"}),
    ("DELETE", {"recursive": "true"}),
]
LISTS = [
    "user::rwx,group::r-x,other::---",
    f"user::rwx,user:{clients.PERSON}:rwx,group::r-x,mask::rwx,other::---,default:user:{clients.PERSON}:r-x",
]
QUERY = {
    "mode": ["set", "remove", "x"],
    "directory": ["a", "/", *NASTY],
    "recursive": ["x"],
    "upn": ["true"],
    "maxResults": ["1", "x"],
    "continuation": ["x"],
    "action": ["x", ""],
}
HEADERS = {
    "x-ms-permissions": ["0777", "rwxr-x---", "x", "9" * 40],
    "x-ms-owner": ["x", "$superuser", ""],
    "x-ms-group": ["x"],
    "If-Match": ["*", "x"],
    "If-None-Match": ["*"],
}


def request(order: random.Random) -> Asked:
    """A request, more or less."""
    method, query = order.choice(OPERATIONS)
    query = {**query, **{name: order.choice(values) for name, values in QUERY.items() if order.random() < 0.05}}
    container = order.choice(NASTY) if order.random() < 0.03 else "archive"
    below = "/".join(order.choice(["a", "b c", "..", order.choice(NASTY)]) for _ in range(order.randrange(4)))
    account = order.choice(["contosolake", "contosolake", "CONTOSOLAKE", "x"])
    headers = {name: order.choice(values) for name, values in HEADERS.items() if order.random() < 0.1}
    if method == "PATCH":
        listed = order.choice(LISTS)
        listed = wounded(listed, order) if order.random() < 0.5 else listed
        headers["x-ms-acl"] = "".join(char for char in listed if char.isprintable())
    return Asked(method, f"/{account}/{container}/{below}", query, b"", headers)


@pytest.mark.parametrize("seed", range(3 * ROUNDS))
def test_garbage_is_refused_in_storages_words_and_does_no_harm(seed):
    order = random.Random(f"dfs/{seed}")
    app = DfsApp(world())
    done = sum(answered("dfs", app, request(order))[0] < 300 for _ in range(1500))
    assert done > 100, "nearly everything was refused: the requests are too wild to find anything"
    for query in ({"action": "getAccessControl"}, {}):
        status, _, _ = answered("dfs", app, Asked("HEAD", "/contosolake/archive/", query))
        assert status == 200
