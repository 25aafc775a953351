"""The three-valued comparison, and what adopt copies into desired."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kxrecon.diff import adopt, compare, diff
from kxrecon.model import HIDDEN, Entity, Failure, Gap, Ref, State
from kxrecon.scope import Scope

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


def table(name: str, **fields: object) -> Entity:
    return Entity(Ref("table", ("D", name)), fields)


def state(*entities: Entity, gaps: tuple[Gap, ...] = ()) -> State:
    return State({entity.ref: entity for entity in entities}, {}, gaps)


@given(VALUES)
def test_every_value_equals_itself(value: object) -> None:
    assert compare(value, value) == "equal"


def hide(value: object) -> object:
    """The same value with every scalar of its containers masked, as a service would show it."""
    if isinstance(value, dict):
        return {key: hide(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(hide(item) for item in value)
    return HIDDEN


@given(VALUES)
def test_a_masked_value_is_never_called_changed(value: object) -> None:
    assert compare(value, hide(value)) in ("unverifiable", "equal")


def test_a_visible_difference_wins_over_a_hidden_part() -> None:
    assert compare(({"uri": "a", "secret": "x"},), ({"uri": "b", "secret": HIDDEN},)) == "changed"
    assert compare(({"uri": "a", "secret": "x"},), ({"uri": "a", "secret": HIDDEN},)) == "unverifiable"


def test_fields_that_the_spec_leaves_out_are_adopted_not_reset() -> None:
    observed = state(table("T", columns=(("a", "long"),), folder="old", docString="kept", ingestionTimePolicy=True))
    desired = adopt(state(table("T", folder="new")), observed, Scope())
    (change,) = diff(desired, observed).changes
    assert change.verb == "update"
    assert [(part.field, part.observed, part.desired) for part in change.fields] == [("folder", "old", "new")]
    assert change.desired is not None
    assert change.desired.fields["docString"] == "kept"


def test_entities_of_others_are_kept_unless_their_section_prunes() -> None:
    mine, other = table("T", folder="f"), table("U", folder="f")
    observed = state(mine, other)
    assert diff(adopt(state(mine), observed, Scope()), observed).changes == ()
    pruning = Scope(databases=("D",), prune={"tables": "all"})
    (change,) = diff(adopt(state(mine), observed, pruning), observed).changes
    assert (change.verb, change.ref) == ("delete", other.ref)


def test_a_grant_without_our_mark_survives_every_prune() -> None:
    def role(principal: str, owner: str | None) -> Entity:
        return Entity(Ref("database_role", ("D", "viewers", principal)), {}, owner=owner)

    observed = state(role("ours", "kxrecon/spec"), role("theirs", None), role("other spec", "kxrecon/other"))
    for how in ("owned", "all"):
        scope = Scope(databases=("D",), prune={"grants": how})  # type: ignore[dict-item]
        changes = diff(adopt(state(), observed, scope), observed).changes
        assert [change.ref.name[2] for change in changes] == ["ours"]


def test_an_exact_role_loses_who_is_not_listed_and_other_roles_do_not() -> None:
    def role(role: str, principal: str, **attributes: object) -> Entity:
        return Entity(Ref("database_role", ("D", role, principal)), {}, attributes)

    observed = state(role("viewers", "a"), role("viewers", "b"), role("admins", "b"))
    desired = adopt(state(role("viewers", "a", exact=True)), observed, Scope(databases=("D",)))
    (change,) = diff(desired, observed).changes
    assert (change.verb, change.ref.name) == ("delete", ("D", "viewers", "b"))


def test_what_could_not_be_read_is_unknown_and_not_created() -> None:
    gap = Gap("table", ("D",), Failure("denied", "no right"))
    found = diff(state(table("T", folder="f")), state(gaps=(gap,)))
    assert found.changes == ()
    assert found.unknown == (Ref("table", ("D", "T")),)


@given(st.permutations([table(name, folder=name) for name in "abcdef"]))
def test_the_order_of_entities_does_not_matter(entities: list[Entity]) -> None:
    observed = state(table("a", folder="x"), table("g", folder="g"))
    expected = diff(adopt(state(*sorted(entities, key=lambda e: e.ref)), observed, Scope()), observed)
    assert diff(adopt(state(*entities), observed, Scope()), observed) == expected


def test_deepdiff_explains_inside_a_field() -> None:
    observed = state(table("T", columns=(("a", "long"), ("b", "string"))))
    desired = state(table("T", columns=(("a", "long"), ("b", "int"))))
    (change,) = diff(desired, observed).changes
    assert [(part.field, part.observed, part.desired) for part in change.fields] == [("columns[1][1]", "string", "int")]
