"""One request to ARM and what is answered: the words that the provider modules speak."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from werkzeug.wrappers import Request

from kxrecon.sandbox.arm.errors import Refusal, bad_content
from kxrecon.sandbox.body import parsed
from kxrecon.sandbox.store import Document, Store
from kxrecon.sandbox.world import World

PAGE = 1000
IN_GROUP = "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, JSON body (None: empty) and headers."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """A routed request. ``path`` holds the placeholders of the route, as the client wrote them."""

    world: World
    request: Request
    path: Mapping[str, str]
    resource: str  # the whole path, one slash between segments

    @property
    def store(self) -> Store:
        """The sandbox's documents."""
        return self.world.store

    @property
    def origin(self) -> str:
        """Scheme and host that the client used, for the links in answers."""
        return self.request.host_url.rstrip("/")

    def body(self, required: bool = True) -> Document:
        """The request's JSON object; 400 if it is none."""
        raw = self.request.get_data()
        if not raw and not required:
            return {}
        try:
            document = parsed(raw)
        except (ValueError, RecursionError) as error:
            raise bad_content(str(error)) from None
        if not isinstance(document, dict):
            raise bad_content("The request body must be a JSON object")
        return document

    def query(self, name: str) -> str | None:
        """A query parameter; ARM ignores the case of its name."""
        wanted = name.lower()
        return next((value for key, value in self.request.args.items() if key.lower() == wanted), None)


Operation = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """An operation, named as in Microsoft's OpenAPI files, and where it is found."""

    method: str
    pattern: re.Pattern[str]
    name: str
    run: Operation
    provider: str


def route(method: str, template: str, name: str, run: Operation) -> Route:
    """A route from an OpenAPI path; a leading ``{scope}`` spans segments (or none), other placeholders do not."""
    rest = template.removeprefix("/{scope}")
    parts = re.split(r"\{(\w+)\}", rest)
    text = "" if rest == template else r"(?P<scope>(?:/.+?)?)"
    for index, part in enumerate(parts):
        text += re.escape(part) if index % 2 == 0 else rf"(?P<{part}>[^/]+)"
    found = re.findall(r"/providers/([\w.]+)", template)
    return Route(method, re.compile(f"^{text}$", re.IGNORECASE), name, run, found[-1] if found else "")


def pages(call: Call, items: list[Any]) -> Answer:
    """A list answer, cut into pages with absolute ``nextLink``s.

    The size of a page is the sandbox's own setting (meta ``paging``); Azure decides it by itself too.
    """
    size = int((call.store.get("meta", "paging") or {}).get("size", PAGE))
    token = call.query("$skipToken") or "0"
    if not token.isascii() or not token.isdigit():
        raise Refusal(400, "InvalidSkipToken", f"The skip token '{token}' is not valid.")
    start = int(token)
    body: Document = {"value": items[start : start + size]}
    if start + size < len(items):
        kept = [(key, value) for key, value in call.request.args.items() if key.lower() != "$skiptoken"]
        body["nextLink"] = call.origin + call.resource + "?" + _query([*kept, ("$skipToken", str(start + size))])
    return Answer(body)


def _query(pairs: list[tuple[str, str]]) -> str:
    return urlencode(pairs)
