"""A person says that two assets are one machine while dates of them are edited and written: none is lost or doubled."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services.writeback.pushes import PostgresPushes, PushRules
from services.writeback.turns import Look
from shared.date_ledger.late_writes import SETTLED_BY
from shared.dates.calendar import FIELDS, PURCHASE, WARRANTY
from shared.dates.pushing import Seen
from shared.identity.settling import NotYetTheSame, settle_same
from shared.postgres import Connection, transaction
from tests.integration.test_writeback import DONE, SOMEBODY_WAITS, MakeWorld, World, world  # noqa: F401 - a fixture
from tests.support.shell import Result, Shell
from tests.support.waiting import until

KEPT, GONE = 0, 1
"""The devices: of the asset that stays, and of the one that is given up."""
LOOKUP = {"origin": "lookup", "lookup": "dell"}
AT = datetime(2026, 11, 1, tzinfo=UTC)


class Twins:
    """A world whose first two devices claim to be one machine."""

    def __init__(self, w: World, shell: Shell) -> None:
        self.w = w
        self.shell = shell
        self.kept, self.gone = (w.assets[w.devices[at]["id"]] for at in (KEPT, GONE))

    async def ask(self) -> None:
        """Let the question be open."""
        await self.w.desk.execute(
            "insert into identity_ambiguities (account_id, kind, key, integration_id, device_id, asset_id,"
            " other_asset_id) values ($1, 'serial', 'SN|M', $2, $3, $4, $5)",
            *(self.w.stage.account_id, self.w.integration_id, self.w.devices[GONE]["id"], self.gone, self.kept),
        )

    async def settle(self) -> Result:
        """Answer that they are one."""
        question = await self.w.desk.value("select id from identity_ambiguities where status = 'open'")
        return await self.shell("assets", "settle-ambiguity", question, "--same", "--yes", "--json")

    async def settle_at_once(self) -> None:
        """The same, quicker than a program begins."""
        question = await self.w.desk.value("select id from identity_ambiguities where status = 'open'")

        async def work(conn: Connection) -> Any:
            return await settle_same(conn, self.w.author, question)

        await self.w.within(work)

    async def shown(self, field: str = PURCHASE) -> Any:
        """What is known of a date of the asset that stays."""
        return (await self.shell("assets", "show", self.kept, "--json")).json["dates"][field]

    async def ledger(self, asset_id: UUID | None = None) -> list[tuple[str, str | None, str]]:
        """The edits of the asset that stays, oldest first."""
        edits = (await self.shell("assets", "edits", asset_id or self.kept, "--json")).json
        return [(one["field"], one["value"], one["status"]) for one in reversed(edits)]

    async def written(self, device: int, of: str = PURCHASE) -> list[str | None]:
        """What was written to a device, in its order."""
        writes = await self.w.writes()
        return [day and day[:10] for name, field, day in writes if (name, field) == (self.w.devices[device]["id"], of)]


@pytest.fixture
async def twins(world: MakeWorld, tmp_path: Path) -> Twins:  # noqa: F811
    w = await world(patch_mode="on")
    made = Twins(w, Shell.at(w.stage, tmp_path))
    await made.ask()
    return made


def named(w: World, how: str) -> dict[str, Any]:
    """The asset that is given up, as a sender names it."""
    device = w.devices[GONE]["id"]
    if how == "device":
        return {"asset": {"integration_id": str(w.integration_id), "device_id": device}}
    return {"asset": {"id": str(w.assets[device])}}


# -- the three moments ---------------------------------------------------------------------------------------------


async def test_while_an_edit_waits_or_is_written_the_answer_waits_too_and_nothing_is_written_twice(
    twins: Twins,
) -> None:
    w = twins.w
    event = w.event(GONE, "2024-05-01", **LOOKUP)
    await w.record(event)
    assert (await w.settled(event, "waiting"))["status"] == "waiting"
    refused = await twins.settle()
    assert refused.code == 4
    assert "is on its way to an RMM" in refused.json["error"]["message"]
    assert "wait until it is written" in refused.json["error"]["next_step"]

    slow = await w.rmm.fault({"path": w.devices[GONE]["id"], "method": "PATCH", "times": 1}, delay_ms=3000)
    await w.start()
    await until("it is being written", lambda: w.rmm.fired(slow))
    with pytest.raises(NotYetTheSame, match="is on its way to an RMM"):
        await twins.settle_at_once()
    assert (await w.settled(event, "writing"))["status"] == "writing"
    assert (await w.settled(event))["status"] == "written"
    assert (await twins.settle()).code == 0
    # What was a lookup's word about the one is its word about the machine.
    assert (await twins.shown())["value"] == "2024-05-01"

    async def there_too() -> bool:
        return await w.there(KEPT) == "2024-05-01"

    await until("the other device has it as well", there_too)
    await w.idle()
    assert (await twins.written(GONE), await twins.written(KEPT)) == (["2024-05-01"], ["2024-05-01"])
    assert await twins.ledger() == [(PURCHASE, "2024-05-01", "written")]
    assert await w.desk.parked() == []


async def test_an_edit_that_was_just_written_is_told_of_the_asset_that_stays_and_comes_back_as_its_own_echo(
    twins: Twins,
) -> None:
    w = twins.w
    await w.start()
    for device in (KEPT, GONE):
        assert (await w.edit(device, "2024-05-01"))["status"] == "written"
    assert (await twins.settle()).code == 0
    shown = await twins.shell("assets", "show", twins.kept)
    assert f"was asset {twins.gone} too: one machine, said tess" in shown.out
    assert f"lifecycle assets edits {twins.kept}" in shown.err
    assert await twins.ledger() == [(PURCHASE, "2024-05-01", "written")] * 2
    write_backs = (await twins.shown())["write_backs"]
    assert {(one["device_id"], one["status"]) for one in write_backs} == {
        (w.devices[device]["id"], "written") for device in (KEPT, GONE)
    }
    for device in (KEPT, GONE):
        await w.pull(device, "2024-05-01")
    assert (await twins.shown())["conflicts"] == []
    assert (await twins.shown())["origin"] == "manual"

    assert (await w.edit(KEPT, "2024-06-01"))["status"] == "written"
    await w.idle()
    assert await twins.written(GONE) == ["2024-05-01", "2024-06-01"]
    assert await twins.written(KEPT) == ["2024-05-01", "2024-06-01"]
    assert await twins.ledger() == [(PURCHASE, "2024-05-01", "written")] * 2 + [(PURCHASE, "2024-06-01", "written")]


async def test_who_asks_for_the_asset_that_is_no_more_is_told_which_one_it_is(twins: Twins) -> None:
    await twins.w.record(twins.w.event(GONE, "2024-05-01", **LOOKUP))
    await twins.w.switch(enabled=False)
    assert (await twins.settle()).code == 0
    for words in (("show",), ("edit", "--field", PURCHASE, "--value", "2024-01-01")):
        gone = await twins.shell("assets", words[0], twins.gone, *words[1:], "--json")
        assert gone.code == 3
        assert f"is the same machine as asset {twins.kept}" in gone.json["error"]["message"]
        assert f"lifecycle assets show {twins.kept}" in gone.json["error"]["next_step"]
    assert (await twins.shell("assets", "show", twins.kept, "--json")).json["given_up"][0]["given_up_by"] == "tess"
    assert len(await twins.ledger()) == 1


# -- edits that come late ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["id", "device"])
async def test_an_edit_of_the_asset_that_went_which_comes_after_the_answer_is_one_of_the_asset_that_stays(
    twins: Twins, how: str
) -> None:
    w = twins.w
    older = w.event(GONE, "2024-04-01", at=AT, **named(w, how))
    newer = w.event(GONE, "2024-06-01", at=AT + timedelta(hours=2), **named(w, how))
    await w.publish(older, newer)
    await w.record(w.event(KEPT, "2024-05-01", at=AT + timedelta(hours=1)))
    assert (await twins.settle()).code == 0
    await w.start()
    assert (await w.settled(older))["status"] == "superseded"
    assert (await w.settled(newer))["status"] == "written"
    await w.idle()
    assert (await twins.shown())["value"] == "2024-06-01"
    assert (await twins.written(KEPT), await twins.written(GONE)) == (["2024-06-01"], ["2024-06-01"])
    assert len(await twins.ledger()) == 3


@pytest.mark.parametrize("how", ["id", "device"])
async def test_an_edit_that_waits_for_the_asset_while_that_is_given_up_is_not_refused(twins: Twins, how: str) -> None:
    w = twins.w
    event = w.event(GONE, "2024-06-01", **named(w, how))
    async with transaction(w.stage.pool) as conn:
        # The answer has the lock first, and the edit finds the asset that is about to go.
        await conn.execute("select from assets where id = $1 for update", twins.gone)
        await w.start()
        answering = asyncio.create_task(twins.settle())
        await until("the answer waits", lambda: w.desk.value(SOMEBODY_WAITS))
        await w.publish(event)

        async def both_wait() -> bool:
            return bool(await w.desk.value(_HOW_MANY_WAIT) >= 2)

        await until("the edit waits as well", both_wait)
    assert (await answering).code == 0
    assert (await w.settled(event))["status"] == "written"
    await w.idle()
    assert (await w.there(KEPT), await w.there(GONE)) == ("2024-06-01", "2024-06-01")


_HOW_MANY_WAIT = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"


# -- one history ---------------------------------------------------------------------------------------------------


async def test_a_date_of_ours_that_counts_no_more_does_not_stay_in_the_rmm(twins: Twins) -> None:
    w = twins.w
    await w.start()
    assert (await w.edit(KEPT, "2030-01-01", of=WARRANTY, **LOOKUP))["status"] == "written"
    assert (await w.edit(GONE, "2029-01-01", of=WARRANTY, origin="lookup", lookup="hp"))["status"] == "written"
    assert (await twins.settle()).code == 0

    async def follows() -> bool:
        return await w.there(GONE, WARRANTY) == "2030-01-01"

    await until("the device that came has what counts", follows)
    await w.idle()
    assert await twins.written(GONE, WARRANTY) == ["2029-01-01", "2030-01-01"]
    assert await twins.written(KEPT, WARRANTY) == ["2030-01-01"]
    assert {status for _, _, status in await twins.ledger()} <= set(DONE)


async def test_a_person_decides_again_where_a_later_edit_of_the_other_asset_would_take_their_date(
    twins: Twins,
) -> None:
    w = twins.w
    for number, (device, day) in enumerate([(KEPT, "2024-05-01"), (GONE, "2024-07-01"), (GONE, None)]):
        await w.record(w.event(device, day, at=AT + timedelta(hours=number)))
    await w.start()
    await w.idle()
    refused = await twins.settle()
    assert refused.code == 4
    assert "2024-05-01 by a person" in refused.json["error"]["message"]
    step = refused.json["error"]["next_step"]
    command = step[step.index("lifecycle ") :].split()
    assert (await twins.shell(*command[1:], "--wait")).code == 0
    assert (await twins.settle()).code == 0
    assert (await twins.shown())["value"] == "2024-05-01"
    # And it stays so with whatever comes after.
    assert (await w.edit(KEPT, "2028-01-01", of=WARRANTY))["status"] == "written"
    assert (await twins.shown())["value"] == "2024-05-01"


async def test_a_lookups_date_that_came_along_is_weighed_in_later_edits(twins: Twins) -> None:
    w = twins.w
    await w.switch(enabled=False)
    await w.record(w.event(GONE, "2023-01-01", of=WARRANTY, **LOOKUP))
    assert (await twins.settle()).code == 0
    await w.start()
    row = await w.edit(KEPT, "2024-01-01")
    assert (row["status"], row["reason_code"]) == ("refused", "expires_before_purchase")
    assert {field: (await twins.shown(field))["value"] for field in FIELDS} == {PURCHASE: None, WARRANTY: "2023-01-01"}


async def test_a_late_write_of_an_edit_of_the_asset_that_went_is_taken_for_what_it_is(twins: Twins) -> None:
    w = twins.w
    await w.start()
    old = await w.edit(GONE, "2024-04-01", **LOOKUP)
    assert (await w.edit(GONE, "2024-03-01", **LOOKUP))["status"] == "written"
    # Its process was cut off once, and tried again: the first write may be under way still.
    await w.desk.execute("update date_edits set attempts = 2 where id = $1", old["id"])
    assert (await twins.settle()).code == 0
    await w.idle()
    await w.person(GONE, purchase_date="2024-04-01")
    await w.pull(GONE, "2024-04-01")
    settled = await w.desk.rows("select remote_value, settled_by from date_conflicts")
    assert [(row["remote_value"], row["settled_by"]) for row in settled] == [(date(2024, 4, 1), SETTLED_BY)]

    async def again() -> bool:
        return await w.there(GONE) == "2024-03-01"

    await until("the newest is written over it", again)


async def test_a_step_whose_asset_went_goes_on_with_the_one_of_its_device_and_gives_its_claim_back(
    twins: Twins,
) -> None:
    w = twins.w
    rules = PushRules(5, 5, timedelta(seconds=600), timedelta(hours=1), ())
    pushes = PostgresPushes(w.stage.pool, w.stage.outbox, rules)
    await w.record(w.event(GONE, "2024-05-01", at=AT, **LOOKUP))
    (work,) = await pushes.claim(w.integration_id)
    # Taken back while its device is looked at: nothing is on its way any more, and nothing stands against the answer.
    await w.record(w.event(GONE, None, at=AT + timedelta(hours=1), **LOOKUP))
    await twins.settle_at_once()
    number = await w.desk.value("select nextval('observation_seq')")
    look = Look("patch", number, {PURCHASE: Seen(date(2021, 1, 1)), WARRANTY: Seen(None)})
    assert await pushes.decide(work, look) is None
    assert await w.desk.value("select count(*) from date_pushes where leased_until is not null") == 0
    assert (await twins.shown())["value"] == "2021-01-01", "what it saw is taken in"
