"""Hashes of values: with a key nobody can guess back, and without one never of anything secret.

With ``KXRECON_LEDGER_KEY`` every value is sealed by HMAC-SHA256 together with its cluster, entity and field, so that
equal secrets in two places do not look equal. Without, a value that holds no secret gets a plain SHA-256; whoever
has the ledger could try guesses against that, so one with a secret in it gets none at all.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

from kxrecon.errors import KxreconError, UsageError
from kxrecon.kql_text import hides, obfuscated
from kxrecon.model import Ref, Secret, Value
from kxrecon.tagged import canonical

KEY = "KXRECON_LEDGER_KEY"
SHORTEST = 16  # characters of a key: a shorter one could be tried out
PLAIN = "plain"  # the name of the seal without a key
_DIGITS = 24


@dataclass(frozen=True, slots=True)
class Seal:
    """Makes the hashes of one run on one cluster. ``secrets`` are looked up by variable when a value holds one."""

    cluster: str
    key: str = field(default="", repr=False)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.key and len(self.key) < SHORTEST:
            raise UsageError(f"{KEY} has {len(self.key)} characters: at least {SHORTEST}, chosen at random, are needed")

    @property
    def keyed(self) -> bool:
        """Whether there is a key, so that secrets can be sealed."""
        return bool(self.key)

    @property
    def name(self) -> str:
        """What tells this key from others, and gives nothing of it away."""
        return self._hash(canonical("the name of this key"))[:12] if self.key else PLAIN

    def behind(self, name: str) -> Seal | None:
        """The seal that made an entry, if its hashes can be made again: this one, or the plain one."""
        if name == self.name:
            return self
        return Seal(self.cluster, "", self.secrets) if name == PLAIN else None

    def written(self, ref: Ref, name: str, value: Value) -> str | None:
        """The hash of a desired value; None if it holds a secret that cannot be sealed, or has no value here."""
        if not self.key and holds_secret(value):
            return None
        try:
            clear = self._resolved(value)
        except (KeyError, KxreconError):
            return None
        return self._of("written", ref, name, clear)

    def blank(self, ref: Ref, name: str, value: Value) -> str | None:
        """The hash of a text without its hidden literals, where those cannot be sealed; None for anything else."""
        if self.key or not isinstance(value, str) or not holds_secret(value):
            return None
        return self._of("blank", ref, name, obfuscated(value))

    def shown(self, ref: Ref, name: str, value: Value) -> str:
        """The hash of an observed value. It holds no secret, but perhaps a hidden literal that the service does not
        hide; without a key that is left out."""
        return self._of("shown", ref, name, value if self.key else _blanked(value))

    def _of(self, side: str, ref: Ref, name: str, value: Value) -> str:
        return self._hash(canonical((side, self.cluster, ref.kind, ref.name, name, value)))

    def _hash(self, content: bytes) -> str:
        if not self.key:
            return hashlib.sha256(content).hexdigest()[:_DIGITS]
        return hmac.new(self.key.encode(), content, hashlib.sha256).hexdigest()[:_DIGITS]

    def _resolved(self, value: Value) -> Value:
        if isinstance(value, Secret):
            return {"secret": self.secrets[value.variable]}
        if isinstance(value, Mapping):
            return {key: self._resolved(item) for key, item in value.items()}
        if isinstance(value, tuple | list):
            return tuple(self._resolved(item) for item in value)
        return value


def _blanked(value: Value) -> Value:
    """A value without the content of the hidden literals that are in its texts."""
    if isinstance(value, str):
        return obfuscated(value) if hides(value) else value
    if isinstance(value, Mapping):
        return {key: _blanked(item) for key, item in value.items()}
    return tuple(map(_blanked, value)) if isinstance(value, tuple | list) else value


def holds_secret(value: Value) -> bool:
    """Whether a desired value holds what must not be guessed: a secret, or a hidden literal."""
    if isinstance(value, str):
        return hides(value)
    if isinstance(value, Mapping):
        return any(map(holds_secret, value.values()))
    if isinstance(value, tuple | list):
        return any(map(holds_secret, value))
    return isinstance(value, Secret)
