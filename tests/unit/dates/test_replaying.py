"""What becomes of edits: the same for any order of delivery, and mirrors get no vote."""

from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from uuid import UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from shared.dates.calendar import PURCHASE, WARRANTY, DateField
from shared.dates.replaying import Edit, Surroundings, replay, replay_with, surroundings
from shared.dates.resolving import Observation

START = datetime(2026, 1, 1, tzinfo=UTC)
SPACE = UUID(int=1)


def edit(
    number: int,
    value: int | None,
    *,
    source: str = "manual",
    field: DateField = PURCHASE,
    at: int | None = None,
    around: Surroundings | None = None,
) -> Edit:
    """An edit number `number` of day `value`."""
    return Edit(
        uuid5(SPACE, str(number)),
        field,
        source,
        None if value is None else date(2027, 1, value),
        START + timedelta(minutes=number if at is None else at),
        (f"e{number}", "test"),
        around or Surroundings(),
    )


def kinds(*edits: Edit) -> list[str]:
    outcomes = replay(edits).outcomes
    return [outcomes[each.id].kind for each in edits]


EDITS = st.lists(
    st.tuples(
        st.sampled_from([None, 1, 2, 3]),
        st.sampled_from(["manual", "lookup:a", "lookup:b"]),
        st.sampled_from([PURCHASE, WARRANTY]),
        st.integers(0, 3),
    ),
    max_size=6,
).map(
    lambda rows: [
        edit(n, value, source=source, field="purchase_date" if field == PURCHASE else "warranty_expiration_date", at=at)
        for n, (value, source, field, at) in enumerate(rows)
    ]
)


@given(EDITS, st.randoms())
def test_the_outcome_is_the_same_for_any_order(edits: list[Edit], random: object) -> None:
    shuffled = list(edits)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert replay(shuffled) == replay(edits)


@given(EDITS)
def test_a_new_edit_comes_to_the_same_wherever_its_place_is(edits: list[Edit]) -> None:
    for new in edits:
        others = [each for each in edits if each is not new]
        assert replay_with(others, new) == (replay(others), replay(edits))


@given(EDITS)
def test_at_most_one_edit_stands_for_a_field_and_each_has_an_outcome(edits: list[Edit]) -> None:
    done = replay(edits)
    assert set(done.outcomes) == {each.id for each in edits}
    for field in (PURCHASE, WARRANTY):
        standing = [each for each in edits if each.field == field and done.outcomes[each.id].kind == "standing"]
        assert len(standing) <= 1


@given(EDITS)
def test_of_manual_edits_alone_the_last_one_counts(edits: list[Edit]) -> None:
    mine = [each for each in edits if each.source == "manual" and each.field == PURCHASE]
    done = replay(mine)
    last = max(mine, key=lambda each: each.order, default=None)
    said = done.said.get((PURCHASE, "manual"))
    assert (said.value if said else None) == (last.value if last else None)


def test_an_edit_equal_to_the_value_is_a_no_op_and_an_older_one_still_cannot_win() -> None:
    first, second, third = edit(1, 1), edit(2, 2), edit(3, 1)
    for order in permutations([first, second, third]):
        done = replay(order)
        assert done.said[PURCHASE, "manual"].value == date(2027, 1, 1)
        assert [done.outcomes[each.id].kind for each in (first, second, third)] == [
            "superseded",
            "superseded",
            "standing",
        ]


def test_our_own_date_that_comes_back_as_a_lookup_has_no_vote() -> None:
    done = replay([edit(1, 1), edit(2, 1, source="lookup:psa"), edit(3, None)])
    assert (PURCHASE, "lookup:psa") not in done.said
    assert kinds(edit(1, 1), edit(2, 1, source="lookup:psa"), edit(3, None)) == ["superseded", "unchanged", "standing"]


def test_a_remote_date_that_comes_back_as_a_manual_edit_stays_the_rmms() -> None:
    around = Surroundings({PURCHASE: Observation("integration:a", date(2027, 1, 1))})
    mirrored = edit(1, 1, around=around)
    assert kinds(mirrored) == ["unchanged"]
    assert replay([mirrored]).said == {}


def test_a_losing_lookup_is_recorded_and_counts_once_the_manual_date_is_cleared() -> None:
    manual, lookup, cleared = edit(1, 1), edit(2, 2, source="lookup:dell"), edit(3, None)
    assert kinds(manual, lookup) == ["standing", "recorded"]
    done = replay([manual, lookup, cleared])
    assert done.standing[PURCHASE] == cleared
    assert done.said[PURCHASE, "lookup:dell"].value == date(2027, 1, 2)


def test_a_contradiction_is_refused_whichever_of_the_two_is_delivered_first() -> None:
    purchase, warranty = edit(1, 9), edit(2, 3, field=WARRANTY)
    for order in permutations([purchase, warranty]):
        outcomes = replay(order).outcomes
        assert outcomes[purchase.id].kind == "standing"
        assert outcomes[warranty.id].kind == "refused"


def test_a_superseded_edit_names_the_one_that_took_its_place() -> None:
    first, second = edit(1, 1), edit(2, 2)
    assert replay([second, first]).outcomes[first.id].by == second.id


def test_clearing_what_is_not_set_is_nothing() -> None:
    assert kinds(edit(1, None)) == ["unchanged"]
    assert kinds(edit(1, 1), edit(2, None), edit(3, None)) == ["superseded", "standing", "unchanged"]


def test_the_best_of_the_integrations_stands_for_all_of_them() -> None:
    early, late = Observation("integration:a", date(2020, 1, 1)), Observation("integration:b", date(2021, 1, 1))
    lookup = Observation("lookup:x", date(2000, 1, 1), excluded=True)
    around = surroundings({PURCHASE: [(early, True), (late, True), (lookup, False)]})
    assert around.remote == {PURCHASE: early}
    assert around.excluded == {(PURCHASE, "lookup:x")}
