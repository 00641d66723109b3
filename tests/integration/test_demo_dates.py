"""What the demo shows, on real servers: a date goes into the RMM, and one that is changed there comes back."""

from pathlib import Path

import pytest

from lifecycle.data.demo_dates import both_ways
from lifecycle.data.demonstration import Key, sync_simulator
from lifecycle.data.simulated_rmm import SimulatedRmm
from lifecycle.exits import ExitCode
from lifecycle.output import Output
from lifecycle.session import connect
from lifecycle.settings import CommandSettings
from tests.conftest import MakeLoopPipeline, MakeRmm
from tests.support.stage import Stage


async def test_dates_go_both_ways_and_twice(
    stage: Stage,
    simulator: MakeRmm,
    in_process: MakeLoopPipeline,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rmm = await simulator(devices=40, companies=2)
    await in_process(stage, rmm, recheck_seconds=(0.1, 0.2))
    key = await rmm.key()
    secret, sealing = tmp_path / "secret", tmp_path / "sealing"
    secret.write_text(key["client_secret"], encoding="utf-8")
    sealing.write_text(stage.keys.public_text, encoding="utf-8")
    settings = CommandSettings.model_validate(
        {
            "amqp_url": stage.amqp_url,
            "database_url": stage.database_url,
            "sealing_key_file": sealing,
            "local_dir": tmp_path,
        }
    )
    out = Output(color=False)
    async with connect(settings=settings) as session:
        code, run = await sync_simulator(session, out, Key(key["client_id"], secret))
        assert (code, run["status"]) == (ExitCode.DONE, "succeeded")
        for _ in range(2):
            code, dates = await both_ways(session, out, SimulatedRmm(rmm.url))
            edit, change = dates["edit"], dates["change"]
            assert (code, edit["status"], change["arrived"]) == (ExitCode.DONE, "written", True)
            devices = await rmm.devices()
            assert str(edit["value"]) in {device["warranty_expiration_date"] for device in devices.values()}
            bought = change["dates"]["purchase_date"]
            assert (bought["value"], [one["source"] for one in bought["losers"]]) == (change["value"], ["lookup:maker"])
    said = capsys.readouterr()
    assert "counts: the earliest of 2 sources" in said.out
    assert "by custom_fields" in said.err
