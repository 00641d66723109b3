"""Client secrets and tokens are in the sealed columns and nowhere else, whatever fails and whoever repeats them."""

from shared.secrets import SealInfo
from tests.conftest import MakeProcessPipeline, MakeRmm
from tests.support import queues
from tests.support.books import Books
from tests.support.desk import Desk
from tests.support.queues import Said
from tests.support.rmm import LISTS, TOKEN
from tests.support.stage import Stage
from tests.support.waiting import until


async def test_no_secret_is_in_a_table_an_event_a_parked_message_or_a_log(
    stage: Stage, simulator: MakeRmm, pipeline: MakeProcessPipeline
) -> None:
    canary = "canary-7f3a9c51e2d84b60"
    rmm = await simulator(devices=100, companies=3, client_secret=canary)
    assert canary in rmm.secrets
    flow = await pipeline(stage, rmm, log_level="DEBUG", max_attempts=1)
    desk, books = Desk(stage), Books(stage)
    added = await desk.add_integration(rmm)
    assert (await desk.ended(added.run_id))["status"] == "succeeded"

    # The RMM repeats the token that it was sent, in an error of its own.
    row = await desk.row("select scope_set, token_sealed from rmm_tokens")
    assert row is not None
    info = SealInfo(stage.account_id, added.id, f"token.{row['scope_set']}")
    token = stage.keys.private.open(row["token_sealed"], info=info).get_secret_value()
    assert TOKEN.fullmatch(token)
    armed = await rmm.fault({"path": LISTS}, status=400, body={"error": f"malformed: Bearer {token} ({token})"})
    await desk.synced(added.id)
    assert await rmm.fired(armed) >= 1
    await rmm.heal()
    # A sign-in that fails and repeats the secret, once for now and once for good; then a key that is dead.
    for status in (500, 401):
        await rmm.end_tokens()
        armed = await rmm.fault({"path": "token$"}, status=status, body=f"client_secret={canary} is not valid")
        await desk.synced(added.id)
        assert await rmm.fired(armed) >= 1
        await rmm.heal()
    await rmm.regenerate()
    await desk.replace_credentials(added.id, rmm)
    # A stranger's message that cannot be read.
    await queues.publish(stage.amqp_url, [Said("sync.requested", b'{"data": {"password": "hunter2"}}', {})])

    async def resumed() -> bool:
        return bool((await desk.integration(added.id))["status"] == "active")

    await until("the new pair works", resumed)

    async def parked() -> bool:
        return "bad_message" in {row["reason_code"] for row in await desk.parked()}

    await until("the stranger's message is parked", parked)
    await books.quiet()
    await flow.stop()

    logs = flow.logs()
    assert {(row["queue"], row["reason_code"]) for row in await desk.parked()} >= {
        ("fetcher.pages", "rmm_refused"),
        ("fetcher.syncs", "rmm_server_error"),
        ("fetcher.syncs", "bad_message"),
    }
    assert all(len(text) > 200 for text in logs.values())
    await books.secrets(rmm, logs)
    books.close()
    sealed = await desk.value("select client_secret_sealed from integrations")
    assert sealed.startswith("hpke1.")
    tokens = await desk.rows("select token_sealed from rmm_tokens")
    assert tokens
    assert not any(TOKEN.search(row["token_sealed"]) for row in tokens)
