"""What stands in an RMM against what is wished: the rule, tries that did not end, failed edits, a person's word."""

from datetime import date, timedelta
from typing import Any

import pytest

from services.writeback.pushes import PostgresPushes, PushRules
from services.writeback.turns import Look
from shared.date_ledger.choices import settle_conflict
from shared.date_ledger.switches import set_conflict_policy
from shared.dates.calendar import PURCHASE, WARRANTY
from shared.dates.pushing import Seen
from tests.integration.test_writeback import MakeWorld, World, world  # noqa: F401 - a fixture
from tests.support.waiting import until

PUT = {"path": "custom-fields", "method": "PUT", "times": 1}
DELL = {"of": WARRANTY, "origin": "lookup", "lookup": "dell"}


async def counts(w: World, device: int, of: str = PURCHASE) -> tuple[str | None, str | None]:
    """The date of an asset and who says it, an integration without its id."""
    row = await w.asset(device)
    origin = row[f"{of}_origin"]
    return row[of] and str(row[of]), origin and origin.replace(f":{w.integration_id}", "")


async def conflicts(w: World) -> list[tuple[str, str, str]]:
    """Every conflict as (manual date, remote date, status), in their order."""
    rows = await w.desk.rows("select * from date_conflicts order by found_at")
    return [(str(row["manual_value"]), str(row["remote_value"]), row["status"]) for row in rows]


async def person_and_page(w: World, device: int, value: str | None, *, of: Any = PURCHASE) -> None:
    """Somebody changes a date in the RMM, and it is read."""
    await w.person(device, **{of: value})
    await w.pull(device, value, of=of)


async def tried(w: World, fault: int) -> None:
    """Return when a write met the fault and is put off."""

    async def ask() -> bool:
        put_off = "select count(*) from date_pushes where attempts > 0 and leased_until is null"
        return bool(await w.rmm.fired(fault) and await w.desk.value(put_off))

    await until("a try failed", ask)


async def test_a_lookups_date_is_weighed_against_what_stands_in_the_rmm(world: MakeWorld) -> None:  # noqa: F811
    w = await world()
    await w.start()
    # Never read before; read before, and changed since; never read, and not as good.
    await w.person(0, warranty_expiration_date="2029-09-09")
    await person_and_page(w, 1, "2025-09-09", of=WARRANTY)
    await w.person(1, warranty_expiration_date="2029-09-09")
    await w.person(2, warranty_expiration_date="2025-09-09")
    rows = [await w.edit(device, "2027-03-01", **DELL) for device in (0, 1, 2)]
    assert [row["status"] for row in rows] == ["recorded", "recorded", "written"]
    assert [await w.there(device, WARRANTY) for device in (0, 1, 2)] == ["2029-09-09", "2029-09-09", "2027-03-01"]
    found = [await counts(w, device, WARRANTY) for device in (0, 1, 2)]
    assert found == [("2029-09-09", "integration")] * 2 + [("2027-03-01", "lookup:dell")]
    assert len(await w.writes()) == 1


async def test_what_is_read_decides_which_waiting_dates_are_still_written(world: MakeWorld) -> None:  # noqa: F811
    w = await world()
    await w.start()
    await w.desk.disable(w.integration_id)
    event = w.event(0, "2027-03-01", **DELL)
    await w.publish(event)
    await w.settled(event, "held")
    await person_and_page(w, 0, "2029-09-09", of=WARRANTY)
    assert (await w.settled(event))["status"] == "recorded"
    await w.desk.enable(w.integration_id)
    await w.idle()
    assert (await w.there(0, WARRANTY), await w.writes()) == ("2029-09-09", [])

    # And where the RMM's date no longer counts, the lookup's does, there too; once, for nobody is fought with.
    await person_and_page(w, 0, "2025-01-01", of=WARRANTY)
    assert (await w.settled(event, "written"))["status"] == "written"
    assert await w.there(0, WARRANTY) == "2027-03-01"
    await person_and_page(w, 0, "2025-01-01", of=WARRANTY)
    await w.idle()
    assert (await w.there(0, WARRANTY), len(await w.writes())) == ("2025-01-01", 1)


@pytest.mark.parametrize("policy", ["keep_manual", "remote_wins"])
async def test_a_persons_change_between_two_tries_is_seen(world: MakeWorld, policy: Any) -> None:  # noqa: F811
    w = await world()
    await w.start()
    await w.within(lambda conn: set_conflict_policy(conn, w.author, w.integration_id, policy))
    await person_and_page(w, 0, "2020-01-01")
    fault = await w.rmm.fault(PUT, status=503)
    event = w.event(0, "2025-03-01")
    await w.publish(event)
    await tried(w, fault)
    await person_and_page(w, 0, "2022-02-02")
    await w.settled(event)
    await w.idle()
    if policy == "keep_manual":
        assert (await w.there(0), await conflicts(w)) == ("2025-03-01", [("2025-03-01", "2022-02-02", "kept_manual")])
    else:
        assert (await w.there(0), await conflicts(w)) == ("2022-02-02", [("2025-03-01", "2022-02-02", "took_remote")])
        assert await counts(w, 0) == ("2022-02-02", "integration")


async def test_a_persons_change_after_a_writer_was_killed_is_noted_by_its_heir(world: MakeWorld) -> None:  # noqa: F811
    w = await world()
    (running,) = await w.start(scheduled=False)
    await w.edit(1, "2024-01-01")  # the way of writing is known from here on
    await running.stop()
    await person_and_page(w, 0, "2020-01-01")
    await w.record(w.event(0, "2025-03-01"))
    rules = PushRules(5, 5, timedelta(seconds=30), timedelta(hours=1), ())
    pushes = PostgresPushes(w.stage.pool, w.stage.outbox, rules)
    (work,) = await pushes.claim(w.integration_id)
    seq = await w.desk.value("select nextval('observation_seq')")
    look = Look("custom_fields", seq, {PURCHASE: Seen(date(2020, 1, 1))})
    assert await pushes.decide(work.by("custom_fields"), look)
    await w.desk.execute("update date_pushes set leased_until = now() where leased_until is not null")
    await w.person(0, purchase_date="2022-02-02")
    await w.start()
    await until("the heir has written", lambda: w.desk.row("select * from date_edits where written = '2025-03-01'"))
    assert await conflicts(w) == [("2025-03-01", "2022-02-02", "kept_manual")]


async def test_while_a_key_may_not_write_the_rmm_is_heard(world: MakeWorld) -> None:  # noqa: F811
    w = await world()
    await w.start()
    await person_and_page(w, 0, "2020-01-01")
    await w.rmm.fault(PUT, status=403)
    event = w.event(0, "2025-03-01")
    await w.publish(event)
    await w.settled(event, "held")
    await person_and_page(w, 0, "2022-02-02")
    assert await conflicts(w) == [("2025-03-01", "2022-02-02", "open")]
    await w.desk.replace_credentials(w.integration_id, w.rmm)
    await w.settled(event, "written")
    assert (await w.there(0), await conflicts(w)) == ("2025-03-01", [("2025-03-01", "2022-02-02", "kept_manual")])


async def test_a_field_that_was_switched_off_between_two_tries_is_heard(world: MakeWorld) -> None:  # noqa: F811
    w = await world()
    await w.start()
    await person_and_page(w, 0, "2026-01-01")
    fault = await w.rmm.fault(PUT, status=503)
    await w.publish(w.event(0, "2025-03-01", origin="lookup", lookup="dell"))
    await tried(w, fault)
    await w.switch(enabled=False)
    for day in ("2022-02-02", "2022-02-03"):
        await person_and_page(w, 0, day)
    assert await counts(w, 0) == ("2022-02-03", "integration")


async def test_an_edit_that_failed_is_tried_again_when_it_is_said_again(world: MakeWorld) -> None:  # noqa: F811
    w = await world()
    await w.start()
    await w.rmm.fault(PUT, status=422)
    first = w.event(0, "2025-03-01")
    await w.publish(first)
    assert (await w.settled(first))["status"] == "failed"
    # Another source that says the same is a mirror, and tries nothing; nor does the same event once more.
    mirrored = await w.edit(0, "2025-03-01", origin="lookup", lookup="mirror")
    await w.publish(first)
    again = await w.edit(0, "2025-03-01")
    assert (mirrored["status"], again["status"]) == ("unchanged", "written")
    assert (await w.settled(first))["status"] == "failed"
    assert (await w.there(0), len(await w.writes())) == ("2025-03-01", 1)
    # What stands there is not written a third time.
    assert (await w.edit(0, "2025-03-01"))["status"] == "unchanged"
    assert len(await w.writes()) == 1


async def test_a_clearing_that_failed_is_tried_again_when_it_is_said_again(world: MakeWorld) -> None:  # noqa: F811
    w = await world()
    await w.start()
    await w.edit(0, "2025-03-01")
    await w.rmm.fault(PUT, status=422)
    assert (await w.edit(0, None))["status"] == "failed"
    assert (await w.edit(0, None))["status"] == "written"
    assert await w.there(0) is None


@pytest.mark.parametrize("how", ["settled", "remote_wins"])
async def test_an_emptied_field_that_was_taken_stays_empty(world: MakeWorld, how: str) -> None:  # noqa: F811
    w = await world()
    await w.start()
    if how == "remote_wins":
        await w.within(lambda conn: set_conflict_policy(conn, w.author, w.integration_id, "remote_wins"))
    await w.edit(0, "2024-02-02", origin="lookup", lookup="dell")
    await w.edit(0, "2025-03-01")
    await person_and_page(w, 0, None)
    if how == "settled":
        conflict = await w.desk.value("select id from date_conflicts where status = 'open'")
        await w.within(lambda conn: settle_conflict(conn, w.author, conflict, "remote"))
    await w.idle()
    assert await conflicts(w) == [("2025-03-01", "None", "took_remote")]
    assert (await w.there(0), await counts(w, 0)) == (None, ("2024-02-02", "lookup:dell"))
    # Until somebody says something new.
    await w.edit(0, "2024-03-03", origin="lookup", lookup="dell")
    assert await w.there(0) == "2024-03-03"


async def test_a_conflict_ends_with_the_manual_date_that_it_is_about(world: MakeWorld) -> None:  # noqa: F811
    w = await world()
    await w.start()
    for device, then in ((0, None), (1, "2022-02-02")):
        await w.edit(device, "2025-03-01")
        await person_and_page(w, device, "2022-02-02")
        assert (await conflicts(w))[-1][2] == "open"
        await w.edit(device, then)
    await w.idle()
    assert [status for _, _, status in await conflicts(w)] == ["gone", "gone"]
