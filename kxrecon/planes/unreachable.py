"""Why nothing could be sent to a host, in words that say where to look."""

from __future__ import annotations

from collections.abc import Iterator

from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, ProxyError

# By the very class: urllib3's errors inherit from one another in ways that say nothing.
_WORDS: dict[type[BaseException], str] = {
    ProxyError: "the proxy does not let it through (HTTPS_PROXY, NO_PROXY)",
    NameResolutionError: "its name does not resolve: is the address right, and is this machine in its network?",
    ConnectTimeoutError: "it does not answer: a firewall, or a private endpoint in another network?",
    ConnectionRefusedError: "it refuses the connection",
}


def why(error: BaseException) -> str:
    """The cause underneath an SDK's error, as a person would say it; else the innermost words there are."""
    found = list(_causes(error))
    kinds = {type(one) for one in found}
    said = next((words for kind, words in _WORDS.items() if kind in kinds), None)
    return said or str(found[-1])


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what it was made from, outermost first; SDKs keep it in four different places."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        kept = (*one.args, getattr(one, "reason", None), getattr(one, "inner_exception", None), one.__cause__)
        waiting += [inner for inner in kept if isinstance(inner, BaseException)]
