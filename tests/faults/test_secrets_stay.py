"""Client secrets and tokens are in the sealed columns and nowhere else, whatever goes wrong and however much is said."""

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

    # The RMM repeats what it was sent, in an error body and in a page.
    await rmm.fault({"path": LISTS, "times": 1}, status=400, body={"error": f"bad token of {canary}"})
    await desk.synced(added.id)
    # A sign-in that fails with the secret in the answer, then a key that is dead.
    await rmm.end_tokens()
    await rmm.fault({"path": "token$", "times": 1}, status=500, body=f"client_secret={canary} is not valid")
    await desk.synced(added.id)
    await rmm.heal()
    await rmm.regenerate()
    assert (await desk.synced(added.id))["status"] == "cancelled"
    await desk.replace_credentials(added.id, rmm)
    # A stranger's message that cannot be read.
    await queues.publish(stage.amqp_url, [Said("sync.requested", b'{"data": {"password": "hunter2"}}', {})])

    async def resumed() -> bool:
        return bool((await desk.integration(added.id))["status"] == "active" and len(await desk.parked()) >= 3)

    await until("the new pair works, and all that failed is parked", resumed)
    await books.quiet()
    await flow.stop()

    logs = flow.logs()
    assert all(len(text) > 200 for text in logs.values())
    await books.secrets(rmm, logs)
    books.close()
    sealed = await desk.value("select client_secret_sealed from integrations")
    assert sealed.startswith("hpke1.")
    tokens = await desk.rows("select token_sealed from rmm_tokens")
    assert tokens
    assert not any(TOKEN.search(row["token_sealed"]) for row in tokens)
