"""T-SQL statements that change users, grants, roles and tables: sqlglot's tokens into values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kxrecon.sandbox.sql.errors import ProgrammingError, not_imitated, syntax

QUOTED = ("IDENTIFIER", "STRING", "NATIONAL_STRING")


@dataclass(frozen=True, slots=True)
class CreateUser:
    """``options``: SID, TYPE, OBJECT_ID, DEFAULT_SCHEMA as given; ``external``: FROM EXTERNAL PROVIDER."""

    name: str
    external: bool
    without_login: bool
    options: dict[str, str]


@dataclass(frozen=True, slots=True)
class Drop:
    """DROP USER, DROP ROLE, DROP TABLE, DROP SCHEMA."""

    what: str
    name: tuple[str, ...]
    if_exists: bool


@dataclass(frozen=True, slots=True)
class Permit:
    """GRANT, DENY or REVOKE. ``level`` is DATABASE, SCHEMA or OBJECT; ``name`` the securable's parts."""

    verb: str
    permissions: tuple[str, ...]
    level: str
    name: tuple[str, ...]
    principals: tuple[str, ...]
    grant_option: bool


@dataclass(frozen=True, slots=True)
class Membership:
    """ALTER ROLE … ADD MEMBER or DROP MEMBER."""

    role: str
    member: str
    add: bool


@dataclass(frozen=True, slots=True)
class Create:
    """CREATE SCHEMA or CREATE ROLE."""

    what: str
    name: str


Statement = CreateUser | Drop | Permit | Membership | Create


class Tokens:
    """A cursor over the tokens of one statement."""

    def __init__(self, tokens: list[Any]) -> None:
        self._tokens = tokens
        self._at = 0

    def peek(self, ahead: int = 0) -> str:
        """The upper-cased text of a token; empty after the last. Quoted names never read as keywords."""
        at = self._at + ahead
        if at >= len(self._tokens) or self._tokens[at].token_type.name in QUOTED:
            return ""
        return str(self._tokens[at].text).upper()

    def take(self, *words: str) -> bool:
        """Step over these words if they come next."""
        if all(self.peek(index) == word for index, word in enumerate(words)):
            self._at += len(words)
            return True
        return False

    def expect(self, *words: str) -> None:
        """Step over these words; 102 if others come."""
        for word in words:
            if not self.take(word):
                raise self.wrong()

    def wrong(self) -> ProgrammingError:
        """The syntax error at this place."""
        last = self._tokens[min(self._at, len(self._tokens) - 1)].text if self._tokens else ""
        return syntax(str(last))

    def name(self) -> str:
        """An identifier: quoted, or one bare word."""
        if self._at >= len(self._tokens):
            raise self.wrong()
        token = self._tokens[self._at]
        if token.token_type.name != "IDENTIFIER" and not str(token.text).replace("_", "a").isalnum():
            raise self.wrong()
        self._at += 1
        if not token.text or len(token.text) > 128:
            raise ProgrammingError(f"The identifier that starts with '{token.text[:128]}' is too long.", 103)
        return str(token.text)

    def value(self) -> str:
        """What follows ``=``: a word, string or binary constant (as ``0x…``)."""
        if self._at >= len(self._tokens):
            raise self.wrong()
        token = self._tokens[self._at]
        self._at += 1
        return f"0x{token.text.upper()}" if token.token_type.name == "HEX_STRING" else str(token.text)

    def names(self) -> tuple[str, ...]:
        """A dotted name."""
        parts = [self.name()]
        while self.take("."):
            parts.append(self.name())
        return tuple(parts)

    def end(self) -> None:
        """102 unless all was read."""
        if self._at < len(self._tokens):
            raise self.wrong()


def read(tokens: list[Any]) -> Statement | None:
    """The statement, or None if it is none of these (a query, CREATE TABLE)."""
    cursor = Tokens(tokens)
    verb = cursor.peek()
    if verb == "CREATE" and cursor.peek(1) in ("USER", "ROLE", "SCHEMA"):
        return _create(cursor)
    if verb == "DROP":
        return _drop(cursor)
    if verb in ("GRANT", "DENY", "REVOKE"):
        return _permit(cursor)
    if verb == "ALTER":
        return _membership(cursor)
    return None


def _create(cursor: Tokens) -> Statement:
    cursor.expect("CREATE")
    if cursor.take("USER"):
        return _create_user(cursor)
    what = cursor.peek()
    cursor.expect(what)
    name = cursor.name()
    if cursor.take("AUTHORIZATION"):
        cursor.name()
    cursor.end()
    return Create(what, name)


def _create_user(cursor: Tokens) -> CreateUser:
    name = cursor.name()
    external = cursor.take("FROM", "EXTERNAL", "PROVIDER")
    without = not external and cursor.take("WITHOUT", "LOGIN")
    if not external and (cursor.take("FOR", "LOGIN") or cursor.take("FROM", "LOGIN")):
        raise not_imitated("users for logins")
    options: dict[str, str] = {}
    if cursor.take("WITH"):
        while True:
            option = cursor.name().upper()
            cursor.expect("=")
            options[option] = cursor.value()
            if not cursor.take(","):
                break
    cursor.end()
    unknown = set(options) - {"SID", "TYPE", "OBJECT_ID", "DEFAULT_SCHEMA"}
    if unknown:
        raise not_imitated(f"CREATE USER WITH {min(unknown)}") if unknown == {"PASSWORD"} else syntax(min(unknown))
    return CreateUser(name, external, without, options)


def _drop(cursor: Tokens) -> Drop:
    cursor.expect("DROP")
    what = cursor.peek()
    if what not in ("USER", "ROLE", "TABLE", "SCHEMA"):
        raise not_imitated(f"DROP {what}")
    cursor.expect(what)
    if_exists = cursor.take("IF", "EXISTS")
    name = cursor.names()
    cursor.end()
    return Drop(what, name, if_exists)


def _permit(cursor: Tokens) -> Permit:
    verb = cursor.peek()
    cursor.expect(verb)
    option = verb == "REVOKE" and cursor.take("GRANT", "OPTION", "FOR")
    permissions = _permissions(cursor)
    level, name = _securable(cursor) if cursor.take("ON") else ("DATABASE", ())
    if not (cursor.take("TO") or (verb == "REVOKE" and cursor.take("FROM"))):
        raise cursor.wrong()
    principals = [cursor.name()]
    while cursor.take(","):
        principals.append(cursor.name())
    option = cursor.take("WITH", "GRANT", "OPTION") or option
    cursor.take("CASCADE")
    cursor.end()
    return Permit(verb, permissions, level, name, tuple(principals), option)


def _permissions(cursor: Tokens) -> tuple[str, ...]:
    """Permission names, each of one or more words."""
    found: list[str] = []
    words: list[str] = []
    while cursor.peek() not in ("ON", "TO", "FROM", ""):
        if cursor.peek() == "(":
            raise not_imitated("column permissions")
        if cursor.take(","):
            found.append(" ".join(words))
            words = []
            continue
        words.append(cursor.name().upper())
    found.append(" ".join(words))
    if not all(found):
        raise cursor.wrong()
    return tuple(found)


def _securable(cursor: Tokens) -> tuple[str, tuple[str, ...]]:
    """What follows ON: ``SCHEMA::s``, ``OBJECT::s.o``, ``DATABASE::d`` or a bare object."""
    level = cursor.peek()
    if cursor.peek(1) != "::":
        return "OBJECT", cursor.names()
    cursor.expect(level, "::")
    if level not in ("SCHEMA", "OBJECT", "DATABASE"):
        raise not_imitated(f"permissions on {level}")
    return level, cursor.names()


def _membership(cursor: Tokens) -> Membership:
    cursor.expect("ALTER")
    if cursor.peek() != "ROLE":
        raise not_imitated(f"ALTER {cursor.peek()}")
    cursor.expect("ROLE")
    role = cursor.name()
    add = cursor.take("ADD", "MEMBER")
    if not add:
        cursor.expect("DROP", "MEMBER")
    member = cursor.name()
    cursor.end()
    return Membership(role, member, add)
