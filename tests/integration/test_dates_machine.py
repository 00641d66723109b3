"""Two-way dates against a ten-line model: edits, lookups, people in the RMM, pages, crashes and pauses in any order.

The store is a real Postgres and the steps are the service's own; the RMM is one field of one device in memory, so that
a push can be stopped between any two of its steps, go on later, or never.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from services.writeback.edits import PostgresEdits
from services.writeback.intake import EditOrder
from services.writeback.pushes import PostgresPushes, PushRules
from services.writeback.turns import DeviceWork, Look, ToWrite, Trouble
from shared.date_ledger.edits import NewEdit
from shared.date_ledger.remote import Pulled, observe_remote
from shared.dates.calendar import PURCHASE
from shared.dates.pushing import Seen
from shared.outbox import Outbox
from shared.postgres import Pool, connection, open_pool, transaction
from tests.support.servers import TestServers

START = datetime(2026, 1, 1, tzinfo=UTC)
# Who says what is told by the year, so that no two agree by chance; a mirror is a rule of its own.
MANUAL = st.sampled_from([date(2021, 1, day) for day in (1, 2, 3)])
PERSON = st.sampled_from([None, date(2020, 1, 1), date(2023, 1, 1), date(2023, 1, 2)])
PLACE = st.integers(0, 20)
SELDOM = st.sampled_from([False, False, False, True])
FATES = {
    "refused": Trouble("hold", "forbidden", "the RMM said no", "nothing"),
    "never came": Trouble("retry", "rmm_unavailable", "no connection", "nothing"),
    "lost answer": Trouble("retry", "rmm_unavailable", "no answer", "nothing"),
}
"""What may become of a write instead of being kept: only of the last has the RMM what was sent."""
FATE = st.sampled_from(["kept", "kept", "kept", *FATES])
LOOKED_UP = [date(2022, 1, day) for day in (1, 2, 3)]
LOOKUP = st.sampled_from(LOOKED_UP)
_DUE_NOW = """
    update date_pushes set next_try_at = clock_timestamp()
    where integration_id = $1 and status in ('waiting', 'writing') and leased_until is null
"""
RULES = PushRules(10, 40, timedelta(seconds=60), timedelta(hours=24), (timedelta(0),))


class SilentOutbox(Outbox):
    """Nobody is woken: the machine says when a turn comes."""

    async def publish(self, *pending: object) -> None:
        """Do nothing; the rows stay in the outbox."""

    async def publish_many(self, pending: object) -> list[int]:
        """Do nothing; the rows stay in the outbox."""
        return []


@dataclass
class Push:
    """A push that stands between two steps."""

    work: DeviceWork
    look: Look | None = None
    to_write: ToWrite | None = None
    sent: bool = False
    owner: str = ""


@dataclass
class Bench:
    """What all examples share: one loop, one pool."""

    runner: asyncio.Runner
    pool: Pool
    account_id: UUID


@dataclass
class FakeRmm:
    """One field. `owner` is who put its content there."""

    value: date | None = None
    owner: str = "nobody"
    writes: list[date | None] = field(default_factory=list[date | None])


class DatesMachine(RuleBasedStateMachine):
    """The rules; `bench` is set by the test."""

    bench: Bench

    def __init__(self) -> None:
        super().__init__()
        events: Any = SilentOutbox(self.bench.pool, None)  # type: ignore[arg-type]
        self.edits = PostgresEdits(self.bench.pool, events, 10)
        self.pushes = PostgresPushes(self.bench.pool, events, RULES)
        self.integration_id, self.asset_id, self.device_id = uuid4(), uuid4(), str(uuid4())
        self.rmm = FakeRmm()
        self.clock = 0
        self.made: list[EditOrder] = []
        self.waiting: list[EditOrder] = []
        self.delivered: dict[UUID, NewEdit] = {}
        self.pages: list[tuple[date | None, int]] = []
        self.going: list[Push] = []
        self.lost: list[Push] = []
        self.paused = False
        self.known_seq = 0
        self.late_writes = self.failed_writes = 0
        self.heard: set[date | None] = set()
        self.story: list[str] = []
        self.do(self._link())

    def do(self, work: Any) -> Any:
        return self.bench.runner.run(work)

    async def _link(self) -> None:
        async with transaction(self.bench.pool) as conn:
            account_id = self.bench.account_id
            await conn.execute(
                "insert into integrations (id, account_id, name, region, client_id, status)"
                " values ($1, $2, $3, 'na', 'x', 'active')",
                self.integration_id,
                account_id,
                str(self.integration_id),
            )
            await conn.execute(
                "insert into assets (id, account_id, observed_seq) values ($1, $2, 1)", self.asset_id, account_id
            )
            await conn.execute(
                "insert into devices (integration_id, device_id, account_id, asset_id, matched_by, content_hash,"
                " observed_seq, vendor) values ($1, $2, $3, $4, 'new', $4, 1, '{}')",
                self.integration_id,
                self.device_id,
                account_id,
                self.asset_id,
            )
            await conn.execute(
                "insert into two_way (integration_id, field, account_id, enabled, changed_by)"
                " values ($1, $2, $3, true, 'test')",
                self.integration_id,
                PURCHASE,
                account_id,
            )

    # -- edits, in any order and any number ------------------------------------------------------------------------

    def _order(self, source: str, value: date | None) -> EditOrder:
        self.clock += 1
        edit = NewEdit(
            "/test",
            str(uuid4()),
            "story",
            self.bench.account_id,
            PURCHASE,
            value,
            source,
            "tester",
            START + timedelta(seconds=self.clock),
        )
        return EditOrder(edit, self.asset_id)

    def _make(self, order: EditOrder, *, late: bool) -> None:
        self.made.append(order)
        if late:
            self.waiting.append(order)
        else:
            self._deliver(order)

    @rule(value=st.none() | MANUAL, late=SELDOM)
    def edit(self, value: date | None, late: bool) -> None:
        self._make(self._order("manual", value), late=late)

    @rule(value=st.none() | LOOKUP, late=SELDOM)
    def look_up(self, value: date | None, late: bool) -> None:
        self._make(self._order("lookup:dell", value), late=late)

    @precondition(lambda self: self.waiting)
    @rule(place=PLACE)
    def deliver(self, place: int) -> None:
        self._deliver(self.waiting.pop(place % len(self.waiting)))

    @precondition(lambda self: self.delivered)
    @rule(place=PLACE)
    def deliver_again(self, place: int) -> None:
        self._deliver([each for each in self.made if each.edit.id in self.delivered][place % len(self.delivered)])

    def _deliver(self, order: EditOrder) -> None:
        self.story.append(f"edit {order.edit.source} {order.edit.value} at {order.edit.edited_at:%M:%S}")
        self.do(self.edits.record(order))
        self.delivered[order.edit.id] = order.edit

    @precondition(lambda self: not self.waiting)
    @rule()
    def mirror(self) -> None:
        """Another system sends back what it heard from us."""
        value, _ = self.do(self._asset())
        if value is not None:
            self.do(self.edits.record(self._order("lookup:mirror", value)))

    # -- the RMM ---------------------------------------------------------------------------------------------------

    @rule(value=PERSON)
    def person_edits(self, value: date | None) -> None:
        if value != self.rmm.value:
            self.story.append(f"person {value}")
            self.rmm.value, self.rmm.owner = value, "person"

    @rule()
    def request_page(self) -> None:
        self.pages.append((self.rmm.value, self.do(self._seq())))

    @precondition(lambda self: self.pages)
    @rule(place=PLACE, again=st.booleans())
    def page_arrives(self, place: int, again: bool) -> None:
        number = place % len(self.pages)
        value, seq = self.pages[number] if again else self.pages.pop(number)
        self.story.append(f"page {value} {seq}")
        before = self.do(self._asset()), self.do(self._conflicts())
        self.do(self._pull(value, seq))
        self.heard.add(self.do(self._said()))
        if seq <= self.known_seq:
            assert (self.do(self._asset()), self.do(self._conflicts())) == before, "an old page was believed"
        self.known_seq = max(seq, self.known_seq) if not self.do(self._is_writing()) else self.known_seq

    # -- pushes, step by step --------------------------------------------------------------------------------------

    @rule(steps=st.integers(0, 4), fate=FATE)
    def turn(self, steps: int, fate: str) -> None:
        """Claim what is due, and take so many of the four steps."""
        self.do(self._execute(_DUE_NOW, self.integration_id))
        for work in self.do(self.pushes.claim(self.integration_id)):
            push = Push(work)
            if not any(self._step(push, fate) for _ in range(steps)):
                self.going.append(push)

    @precondition(lambda self: self.going)
    @rule(place=PLACE, steps=st.integers(1, 4), fate=FATE)
    def go_on(self, place: int, steps: int, fate: str) -> None:
        push = self.going[place % len(self.going)]
        if any(self._step(push, fate) for _ in range(steps)):
            self.going.remove(push)

    def _step(self, push: Push, fate: str = "kept") -> bool:
        """One step of a push; True when it is done. `fate` is what becomes of a write, where this step is one."""
        if push.look is None:
            push.look, push.owner = self._look(), self.rmm.owner
            self.story.append(f"look {push.look.seen[PURCHASE].value} {push.look.observed_seq}")
            return False
        if push.to_write is None:
            if not self.do(self._is_known()):
                # What stood there before anybody looked is in the ledger, as what was there before.
                self.heard.add(push.look.seen[PURCHASE].value)
            push.to_write = self.do(self.pushes.decide(push.work, push.look))
            self.heard.add(self.do(self._said()))
            return push.to_write is None
        if not push.sent:
            value = push.to_write.values[PURCHASE]
            assert value or push.owner == "us", "somebody else's date was cleared"
            self.late_writes += not self.do(self._holds(push))
            self.story.append(f"write {value} lease {push.work.leases[PURCHASE]}")
            assert value != push.to_write.before[PURCHASE].value, "what stood there already was written"
            self._see_that_nobody_is_overruled_unseen(push, value)
            if fate in {"kept", "lost answer"}:
                self.rmm.value, self.rmm.owner, push.sent = value, "us", True
                self.rmm.writes.append(value)
            if fate != "kept":
                self.failed_writes += 1
                self.story.append(fate)
                self.do(self.pushes.settle_trouble(push.work, FATES[fate], push.to_write))
            return fate != "kept"
        look = self._look()
        holds = self.do(self._holds(push))
        self.story.append(f"settle {look.seen[PURCHASE].value} {look.observed_seq} holds={holds}")
        following = self.do(self.pushes.settle(push.work, push.to_write, look))
        if holds:
            self.known_seq = max(self.known_seq, look.observed_seq)
        if following is None:
            return True
        # What was wished meanwhile goes on from its decision, with the look in hand.
        push.work, push.look, push.to_write, push.sent = following, following.in_hand, None, False
        push.owner = self.rmm.owner
        return False

    def _see_that_nobody_is_overruled_unseen(self, push: Push, value: date | None) -> None:
        """A person's date that the look before the write showed, and that still stands there."""
        assert push.look
        there = push.look.seen[PURCHASE].value
        if push.owner != "person" or self.rmm.owner != "person" or self.rmm.value != there:
            return
        if value in LOOKED_UP:
            assert there is None or there > value, "a lookup's date was written over a better one"
        else:
            noted = there in self.heard or self.do(self._noted(there))
            assert noted, "a person was overruled, and nobody can see it"

    def _look(self) -> Look:
        seq = self.do(self._seq())
        return Look("custom_fields", seq, {PURCHASE: Seen(self.rmm.value)})

    @precondition(lambda self: self.going)
    @rule(place=PLACE, frozen=st.booleans())
    def crash(self, place: int, frozen: bool) -> None:
        """A process is killed between two steps, or frozen; its claims run out."""
        push = self.going.pop(place % len(self.going))
        self.do(self._expire())
        if frozen:
            self.lost.append(push)

    @precondition(lambda self: self.lost)
    @rule(place=PLACE)
    def thaw(self, place: int) -> None:
        """A frozen process goes on where it stood, long after its claim ran out."""
        push = self.lost.pop(place % len(self.lost))
        while not self._step(push):
            pass

    @rule()
    def pause_or_resume(self) -> None:
        self._pause(paused=not self.paused)

    def _pause(self, *, paused: bool) -> None:
        self.paused = paused
        status = "paused_credentials" if paused else "active"
        self.do(self._execute("update integrations set status = $2 where id = $1", self.integration_id, status))

    # -- what must be so -------------------------------------------------------------------------------------------

    def _model(self, remote: date | None) -> tuple[date | None, date | None]:
        """The ten lines: what counts, and what of it is ours to write."""
        said: dict[str, date | None] = {}
        for edit in sorted(self.delivered.values(), key=lambda each: each.edited_at):
            said[edit.source] = edit.value
        manual, lookup = said.get("manual"), said.get("lookup:dell")
        if manual:
            return manual, manual
        counts = min((each for each in (lookup, remote) if each), default=None)
        return counts, lookup if counts == lookup else None

    @invariant()
    def the_manual_date_counts_the_moment_it_is_recorded(self) -> None:
        value, origin = self.do(self._asset())
        manual, _ = self._model(None)
        if any(each.source == "manual" and each.value for each in self.delivered.values()) and origin == "manual":
            assert value == manual

    def everything_comes_to_rest(self) -> None:
        """Deliver, resume, push and read until nothing is left; then both sides stand as the model says."""
        for order in list(self.waiting):
            self._deliver(order)
        self.waiting.clear()
        for push in [*self.going, *self.lost]:
            while not self._step(push):
                pass
        self.going.clear()
        self.lost.clear()
        self._pause(paused=False)
        self.do(self._expire())
        pending = self.do(self._pending())
        for _ in range(6):
            self.do(self._execute(_DUE_NOW, self.integration_id))
            for work in self.do(self.pushes.claim(self.integration_id)):
                push = Push(work)
                while not self._step(push):
                    pass
        assert self.do(self._pending()) == 0, "something never comes to rest"
        self.do(self._pull(self.rmm.value, self.do(self._seq())))
        remote = self.rmm.value if self.rmm.owner == "person" else None
        counts, ours = self._model(remote)
        value, _ = self.do(self._asset())
        assert value == counts
        if self.rmm.owner == "us":
            assert self.rmm.value == ours, "an old date, or somebody else's, stands in the RMM"
        if ours and pending:
            assert self.rmm.value == ours, "a lost edit"
        if ours and self.rmm.owner == "nobody":
            raise AssertionError("an edit that never came to the RMM")

    def teardown(self) -> None:
        self.everything_comes_to_rest()

    # -- the store -------------------------------------------------------------------------------------------------

    async def _execute(self, statement: str, *arguments: Any) -> None:
        async with connection(self.bench.pool) as conn:
            await conn.execute(statement, *arguments)

    async def _value(self, statement: str, *arguments: Any) -> Any:
        async with connection(self.bench.pool) as conn:
            return await conn.fetchval(statement, *arguments)

    async def _seq(self) -> int:
        number: int = await self._value("select nextval('observation_seq')")
        return number

    async def _asset(self) -> tuple[date | None, str | None]:
        async with connection(self.bench.pool) as conn:
            row = await conn.fetchrow(
                "select purchase_date, purchase_date_origin from assets where id = $1", self.asset_id
            )
        assert row is not None
        return row["purchase_date"], row["purchase_date_origin"]

    async def _conflicts(self) -> int:
        number: int = await self._value(
            "select count(*) from date_conflicts where integration_id = $1", self.integration_id
        )
        return number

    async def _is_writing(self) -> bool:
        return bool(
            await self._value(
                "select exists (select from date_pushes where integration_id = $1 and writing_known)",
                self.integration_id,
            )
        )

    async def _holds(self, push: Push) -> bool:
        return bool(
            await self._value(
                "select exists (select from date_pushes where integration_id = $1 and lease_no = $2)",
                self.integration_id,
                push.work.leases[PURCHASE],
            )
        )

    async def _is_known(self) -> bool:
        """Whether anybody had looked at the field before."""
        return bool(
            await self._value(
                "select exists (select from date_pushes where integration_id = $1 and seen_known)", self.integration_id
            )
        )

    async def _noted(self, there: date | None) -> bool:
        """Whether a conflict, over by now or not, is about this date of the RMM's."""
        return bool(
            await self._value(
                "select exists (select from date_conflicts"
                " where integration_id = $1 and remote_value is not distinct from $2)",
                self.integration_id,
                there,
            )
        )

    async def _said(self) -> date | None:
        """What the integration says by the observations."""
        said: date | None = await self._value(
            "select value from date_observations where asset_id = $1 and source = 'integration:' || $2::text",
            self.asset_id,
            str(self.integration_id),
        )
        return said

    async def _pending(self) -> int:
        number: int = await self._value(
            "select count(*) from date_pushes where integration_id = $1 and status in ('waiting', 'writing', 'held')",
            self.integration_id,
        )
        return number

    async def _expire(self) -> None:
        await self._execute(
            "update date_pushes set leased_until = now() - interval '1 second'"
            " where integration_id = $1 and leased_until is not null",
            self.integration_id,
        )

    async def _pull(self, value: date | None, seq: int) -> None:
        pulled = Pulled(self.device_id, PURCHASE, value, seq)
        async with transaction(self.bench.pool) as conn:
            await observe_remote(conn, self.integration_id, [pulled], source="test")


SEEDS = 100
STEPS = 40


def _random_rule(machine: DatesMachine, random: Random) -> None:
    """One step, drawn so that edits, turns and crashes meet often; hypothesis alone rarely gets that deep."""
    place, late = random.randrange(21), random.random() < 0.25
    day = random.choice((1, 2, 3))
    fate = random.choice(("kept", "kept", "kept", "kept", *FATES))
    moves: list[tuple[int, bool, Callable[[], None]]] = [
        (5, True, lambda: machine.edit(random.choice((None, date(2021, 1, day), date(2021, 1, day))), late)),
        (3, True, lambda: machine.look_up(random.choice((None, date(2022, 1, day), date(2022, 1, day))), late)),
        (3, bool(machine.waiting), lambda: machine.deliver(place)),
        (2, bool(machine.delivered), lambda: machine.deliver_again(place)),
        (1, not machine.waiting, machine.mirror),
        (3, True, lambda: machine.person_edits(random.choice((None, date(2020, 1, 1), date(2023, 1, day))))),
        (2, True, machine.request_page),
        (2, bool(machine.pages), lambda: machine.page_arrives(place, late)),
        (9, True, lambda: machine.turn(random.randrange(5), fate)),
        (5, bool(machine.going), lambda: machine.go_on(place, random.randrange(1, 5), fate)),
        (3, bool(machine.going), lambda: machine.crash(place, random.random() < 0.7)),
        (3, bool(machine.lost), lambda: machine.thaw(place)),
        (1, True, machine.pause_or_resume),
    ]
    there = [(weight, move) for weight, may, move in moves if may]
    random.choices([move for _, move in there], [weight for weight, _ in there])[0]()


@contextmanager
def a_bench(servers: TestServers) -> Iterator[Bench]:
    with asyncio.Runner() as runner:
        database = servers.database_for_a_test()
        pool = runner.run(open_pool(runner.run(database.__aenter__()), service="test"))
        account_id = uuid4()

        async def account() -> None:
            async with connection(pool) as conn:
                await conn.execute("insert into accounts (id, name) values ($1, 'machine')", account_id)

        runner.run(account())
        yield Bench(runner, pool, account_id)
        runner.run(pool.close())
        runner.run(database.__aexit__(None, None, None))


def test_two_way_dates_come_to_rest_as_the_model_says_for_100_seeds(servers: TestServers) -> None:
    writes = late = failed = 0
    with a_bench(servers) as bench:
        DatesMachine.bench = bench
        for seed in range(SEEDS):
            machine, random = DatesMachine(), Random(seed)
            try:
                for _ in range(STEPS):
                    _random_rule(machine, random)
                    machine.the_manual_date_counts_the_moment_it_is_recorded()
                machine.everything_comes_to_rest()
            except AssertionError as error:
                raise AssertionError(f"seed {seed}: {error}\n{machine.story}") from error
            writes += len(machine.rmm.writes)
            late += machine.late_writes
            failed += machine.failed_writes
    # A run that met nothing proves nothing.
    assert writes > 2 * SEEDS
    assert late > SEEDS / 20, late
    assert failed > SEEDS / 2, failed


def test_two_way_dates_come_to_rest_as_the_model_says(servers: TestServers) -> None:
    with a_bench(servers) as bench:
        DatesMachine.bench = bench
        run_state_machine_as_test(
            DatesMachine,
            settings=settings(
                max_examples=12, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
