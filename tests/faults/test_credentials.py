"""Keys that end while they are in use: one new token, or a pause of this integration alone and a way back by itself."""

from uuid import UUID

from pydantic import SecretStr

from shared.integrations import changes
from shared.integrations.changes import Credentials
from tests.conftest import MakeLoopPipeline, MakeRmm
from tests.support import queues
from tests.support.books import Books
from tests.support.desk import Desk
from tests.support.keys import Keys
from tests.support.rmm import LISTS, Rmm
from tests.support.stage import Stage
from tests.support.waiting import until


async def sign_ins(rmm: Rmm) -> int:
    """How many tokens were minted."""
    return sum(each["status"] == 200 for each in await rmm.requests("token"))


async def status(desk: Desk, integration_id: UUID, wanted: str) -> None:
    """Return when the integration stands so."""

    async def ask() -> bool:
        return bool((await desk.integration(integration_id))["status"] == wanted)

    await until(f"integration {integration_id} is {wanted}", ask)


async def test_a_token_that_ends_in_the_middle_is_minted_anew_once_for_all_replicas(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=400, companies=12, latency_ms=20)
    flow = await in_process(stage, rmm, replicas=2, rmm_page_size=10, scopes_at_once=8)
    desk, books = Desk(stage), Books(stage)
    added = await desk.add_integration(rmm)
    await desk.pages_read(added.run_id, 8)
    assert await sign_ins(rmm) == 1
    await rmm.end_tokens()

    run = await desk.ended(added.run_id)

    assert run["status"] == "succeeded"
    assert await sign_ins(rmm) == 2
    assert (await desk.integration(added.id))["status"] == "active"
    await books.quiet()
    await flow.stop()
    await books.check(rmm, added.id)


async def test_a_regenerated_key_pauses_its_integration_alone_and_a_new_one_resumes_it(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=400, companies=8, latency_ms=20)
    flow = await in_process(stage, rmm, replicas=2, rmm_page_size=20)
    desk, books = Desk(stage), Books(stage)
    await rmm.key("second")
    added = await desk.add_integration(rmm, name="first")
    other = await desk.add_integration(rmm, name="second", key="second")
    await desk.pages_read(added.run_id, 3)
    await rmm.regenerate()

    run = await desk.ended(added.run_id)

    assert (run["status"], run["reason_code"]) == ("cancelled", "credentials_rejected")
    assert run["next_action"]
    paused = await desk.integration(added.id)
    assert (paused["status"], paused["reason_code"]) == ("paused_credentials", "credentials_rejected")
    assert (await desk.ended(other.run_id))["status"] == "succeeded"
    assert (await desk.integration(other.id))["status"] == "active"
    await books.quiet()
    refused = [each for each in await rmm.requests() if each["status"] == 401]
    # Each page that was in flight may be told so once or twice; after that nobody asks any more.
    assert len(refused) <= 20
    assert len(await queues.journal(stage.amqp_url, "integration.paused")) == 1

    await desk.replace_credentials(added.id, rmm)
    await status(desk, added.id, "active")
    catch_up = await desk.row("select * from sync_runs where integration_id = $1 and started_by = 'resumed'", added.id)
    assert catch_up is not None
    assert catch_up["status"] == "succeeded"
    await books.quiet()
    await flow.stop()
    await books.check(rmm, added.id, other.id)


async def test_new_credentials_that_are_wrong_as_well_leave_it_paused_with_the_new_reason(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=100, companies=3)
    flow = await in_process(stage, rmm)
    desk, books = Desk(stage), Books(stage)
    added = await desk.add_integration(rmm)
    await desk.ended(added.run_id)
    await rmm.regenerate()
    await desk.ended((await desk.sync(added.id)).run_id)
    await status(desk, added.id, "paused_credentials")
    wrong = Credentials("somebody-else", SecretStr("not-the-secret"))

    async def replace(conn: object) -> tuple[None, object]:
        changed = await changes.replace_credentials(conn, desk.author, added.id, wrong, stage.keys.public)
        return None, changed.pending

    tried = len(await rmm.requests("token"))
    await desk.change(replace)

    async def asked() -> bool:
        return len(await rmm.requests("token")) > tried

    await until("the new pair was tried", asked)
    await books.quiet()
    assert (await desk.integration(added.id))["status"] == "paused_credentials"
    # The right pair, and it goes on without a further click.
    await desk.replace_credentials(added.id, rmm)
    await status(desk, added.id, "active")
    await books.quiet()
    await flow.stop()
    await books.check(rmm, added.id)


async def test_a_lost_notice_of_new_credentials_is_made_good_by_the_scheduler(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=100, companies=3)
    flow = await in_process(stage, rmm, "fetcher", "normalizer", "writer", "writeback")
    desk, books = Desk(stage), Books(stage)
    added = await desk.add_integration(rmm)
    await desk.ended(added.run_id)
    await rmm.regenerate()
    await desk.ended((await desk.sync(added.id)).run_id)
    await flow.stop("fetcher")
    await desk.replace_credentials(added.id, rmm)
    await queues.purge(stage.amqp_url)
    # The scheduler waits half a minute for the notice to do its work: that time is over.
    await desk.execute("update integrations set probe_due_at = now()")

    await flow.start("fetcher", "scheduler")

    await status(desk, added.id, "active")
    await books.quiet()
    await flow.stop()
    await books.check(rmm, added.id)


async def test_a_secret_that_our_keys_do_not_open_pauses_and_ends_no_process(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=100, companies=3)
    stranger = Keys.new().private_text.get_secret_value()
    flow = await in_process(stage, rmm, secret_keys=stranger)
    desk, books = Desk(stage), Books(stage)

    added = await desk.add_integration(rmm)
    run = await desk.ended(added.run_id)

    assert run["status"] == "cancelled"
    assert (await desk.integration(added.id))["status"] == "paused_credentials"
    assert await rmm.request_count() == 0
    await books.quiet()
    await flow.stop()
    await books.check(rmm, added.id, whole=False)


async def test_a_right_that_is_taken_away_pauses_with_the_reason(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=300, companies=6)
    flow = await in_process(stage, rmm)
    desk, books = Desk(stage), Books(stage)
    added = await desk.add_integration(rmm)
    await desk.ended(added.run_id)
    await rmm.fault({"path": LISTS}, status=403)

    run = await desk.synced(added.id)

    assert (run["status"], run["reason_code"]) == ("cancelled", "scope_missing")
    assert (await desk.integration(added.id))["status"] == "paused_credentials"
    await rmm.heal()
    await books.quiet()
    await flow.stop()
    await books.check(rmm, added.id)
