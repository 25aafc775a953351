"""A cached property without a lock.

``functools.cached_property`` of Python 3.11 holds one lock per class while it computes: a thread that waits
for the store inside it, and one that holds the store and waits for it, would wait for each other for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class once(Generic[T]):  # noqa: N801 - used as a decorator, like the one it replaces
    """Computes an attribute when it is first read; two threads may both compute it, to the same end."""

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self._name = compute.__name__
        self.__doc__ = compute.__doc__

    def __get__(self, instance: Any, owner: type | None = None) -> T:
        """The value, kept in the instance so that the next look never comes here."""
        value = self._compute(instance)
        instance.__dict__[self._name] = value
        return value
