"""Broker and database over TLS: everything works where both are verified, and a refusal is a sentence with what to do.

On servers of its own: a RabbitMQ with a port for TLS and a Postgres with ssl on, certified by a CA that nobody knows.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from lifecycle.accounts import ensure_first_account
from lifecycle.data.publishing import connected
from lifecycle.exits import Unreachable
from lifecycle.session import Addresses, Session
from lifecycle.settings import CommandSettings, environment
from lifecycle.stack.binaries import find_rabbitmq
from lifecycle.stack.layout import project_root
from lifecycle.stack.servers import login_of
from shared.migrations import migrate
from tests.conftest import MakeProcessPipeline, MakeRmm
from tests.support.desk import Desk
from tests.support.forks import Lives
from tests.support.keys import Keys
from tests.support.shell import Shell
from tests.support.stage import attach_stage
from tests.support.tls import HOST, TlsServers
from tests.support.waiting import until

END_SECONDS: Final = 60.0
NOWHERE: Final = "/nowhere/Their-CA.pem"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServers]:
    if find_rabbitmq(CommandSettings().rabbitmq_bin) is None:
        pytest.skip("RabbitMQ is not installed on this machine, so none is started with a port for TLS")
    made = asyncio.run(TlsServers.start(tmp_path_factory.mktemp("tls")))
    asyncio.run(_migrate(made.database_url()))
    yield made
    asyncio.run(made.end())


async def _migrate(url: str) -> None:
    await migrate(url)
    await ensure_first_account(url)


def shell_at(folder: Path, **settings: str) -> Shell:
    """A shell with these settings of ours and no others."""
    inherited = {name: value for name, value in environment().items() if not name.startswith(("LIFECYCLE_", "PG"))}
    told = {f"LIFECYCLE_{name.upper()}": value for name, value in settings.items()}
    return Shell(
        {**inherited, **told, "LIFECYCLE_LOCAL_DIR": str(folder / "local"), "PYTHONPATH": str(project_root())}, folder
    )


async def test_a_sync_with_broker_and_database_verified_by_a_ca_of_ones_own(
    tls: TlsServers, simulator: MakeRmm, pipeline: MakeProcessPipeline, tmp_path: Path
) -> None:
    rmm = await simulator(devices=120, companies=2)
    pair = await rmm.key()
    (tmp_path / "client-secret").write_text(pair["client_secret"])
    keys = Keys.new()
    await tls.database.create_database("verified")
    database_url = tls.database_url("verified")
    urls = {"amqp_url": tls.amqp_url(), "database_url": database_url, "management_url": tls.management_url()}
    shell = shell_at(tmp_path, **urls, sealing_key=keys.public_text)

    async def cli(*words: str) -> Any:
        done = await shell(*words, "--json")
        assert done.code == 0, f"lifecycle {' '.join(words)}: {done.out} {done.err}"
        return done.json

    await cli("migrate")
    await cli("topology", "declare", "--no-settle")
    # Bindings too, over the management API.
    assert all(each["present"] for each in await cli("topology", "check"))
    found = {each["name"]: each["found"] for each in await cli("doctor")}
    assert found["broker"] == f"amqps://{HOST}:{tls.tls_port}/ answers"
    assert found["database"].endswith("/verified answers")

    async with attach_stage(tls.amqp_url(), database_url, keys) as stage:
        flow = await pipeline(stage, rmm)
        key = ("--client-id", pair["client_id"], "--client-secret-file", str(tmp_path / "client-secret"))
        await cli("integrations", "add", "--name", "Acme", "--region", "na", *key, "--wait")
        assert (await cli("integrations", "list"))[0]["last_run"]["status"] == "succeeded"
        assert len(await cli("assets", "list")) == len(await rmm.devices())
        assert (await cli("status"))["attention"] == []
        # Nobody fell back to a plain connection.
        sessions = await Desk(stage).rows(
            "select application_name, ssl from pg_stat_ssl join pg_stat_activity using (pid)"
            " where application_name like 'lifecycle-%' and datname = current_database()"
        )
        assert {row["application_name"] for row in sessions} >= {f"lifecycle-{one.service}" for one in flow.replicas}
        assert all(row["ssl"] for row in sessions)
        connections = await until("the broker tells of all", lambda: _connections(tls, 2 * len(flow.replicas)))
        assert all(each["ssl"] for each in connections)
        await flow.stop()


async def _connections(tls: TlsServers, least: int) -> list[Any] | None:
    """What the broker tells of its connections; it does so late, so None while they are fewer."""
    url = tls.broker.management_url
    async with httpx.AsyncClient(trust_env=False, auth=login_of(url)) as client:
        at = f"http://{urlsplit(url).netloc.rpartition('@')[2]}/api/connections"
        told: list[Any] = (await client.get(at)).raise_for_status().json()
    found = [each for each in told if "ssl" in each]
    return found if len(found) >= least else None


# -- what is refused -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Refused:
    """An address that cannot work, and what is said of it: what is wrong, and what to do."""

    address: Callable[[TlsServers], str]
    what: str
    to_do: str
    # A wrong setting, which is seen before anything connects; else a server that cannot be reached.
    setting: bool = False


BROKER: Final[Mapping[str, Refused]] = {
    "unknown CA": Refused(
        lambda tls: tls.amqp_url(cafile=tls.other_ca_file),
        "no CA that is trusted here has signed its certificate",
        "name the PEM file of its CA in LIFECYCLE_AMQP_URL: cafile=",
    ),
    "a CA that is not named": Refused(
        lambda tls: tls.amqp_url(heartbeat=10),
        "no CA that is trusted here has signed its certificate",
        "name the PEM file of its CA in LIFECYCLE_AMQP_URL: cafile=",
    ),
    "another host": Refused(
        lambda tls: tls.amqp_url(host="127.0.0.1", cafile=tls.ca_file),
        "its certificate is for another host than LIFECYCLE_AMQP_URL names",
        "give LIFECYCLE_AMQP_URL a host that stands in the certificate",
    ),
    "a plain port": Refused(
        lambda tls: tls.amqp_url(port=urlsplit(tls.broker.amqp_url).port, cafile=tls.ca_file),
        "what answers at this port speaks no TLS",
        "name the port of its TLS listener in LIFECYCLE_AMQP_URL",
    ),
    "no file": Refused(
        lambda tls: tls.amqp_url(cafile=NOWHERE),
        f"LIFECYCLE_AMQP_URL: its cafile, {NOWHERE}, can't be read (No such file or directory)",
        "name a file that is there",
        setting=True,
    ),
    "no certificate": Refused(
        lambda tls: tls.amqp_url(cafile="/etc/hosts"),
        "LIFECYCLE_AMQP_URL: its cafile, /etc/hosts, holds no certificate",
        "name the PEM file of the server's CA",
        setting=True,
    ),
}


DATABASE: Final[Mapping[str, Refused]] = {
    "unknown CA": Refused(
        lambda tls: tls.database_url(sslmode="verify-full", sslrootcert=tls.other_ca_file),
        "no CA that is trusted here has signed its certificate",
        "name the PEM file of its CA in LIFECYCLE_DATABASE_URL: sslrootcert=",
    ),
    "a CA that is not named": Refused(
        lambda tls: tls.database_url(sslmode="verify-full"),
        "LIFECYCLE_DATABASE_URL is not an address that the driver takes",
        "verify-full needs sslrootcert",
        setting=True,
    ),
    # In the addresses that some providers give, for other drivers.
    "a word that the driver does not know": Refused(
        lambda tls: tls.database_url(sslmode="require", channel_binding="require"),
        "LIFECYCLE_DATABASE_URL is not an address that the driver takes",
        "the other words after its `?`",
        setting=True,
    ),
    "another host": Refused(
        lambda tls: tls.database_url(host="127.0.0.1", sslmode="verify-full", sslrootcert=tls.ca_file),
        "its certificate is for another host than LIFECYCLE_DATABASE_URL names",
        "give LIFECYCLE_DATABASE_URL a host that stands in the certificate",
    ),
    "no file": Refused(
        lambda tls: tls.database_url(sslmode="verify-full", sslrootcert=NOWHERE),
        f"LIFECYCLE_DATABASE_URL: its sslrootcert, {NOWHERE}, can't be read (No such file or directory)",
        "name a file that is there",
        setting=True,
    ),
}
NO_TLS: Final = Refused(
    lambda tls: tls.database_url(sslmode="require"),
    "it takes no TLS",
    "turn `ssl` on in Postgres",
)


@pytest.mark.parametrize("refused", BROKER.values(), ids=BROKER)
async def test_a_broker_that_tls_keeps_away_is_one_sentence_with_what_to_do(
    tls: TlsServers, tmp_path: Path, refused: Refused
) -> None:
    urls = {"amqp_url": refused.address(tls), "database_url": tls.database_url()}
    await _check(tls, tmp_path, urls, refused, ("topology", "check"))


async def test_what_tls_keeps_away_is_said_by_whoever_needs_it(tls: TlsServers, tmp_path: Path) -> None:
    refused = BROKER["unknown CA"]
    urls = {"amqp_url": refused.address(tls), "database_url": tls.database_url(sslmode="require")}
    status = await shell_at(tmp_path, **urls)("status", "--json")
    assert status.code == 6
    assert refused.what in status.json["broker"]["reason"]
    assert refused.to_do in status.json["broker"]["reason"]
    addresses = Addresses(*map(SecretStr, urls.values()), None, None, None)
    with pytest.raises(Unreachable, match=refused.what) as raised:
        async with connected(Session(None, uuid4(), "default", addresses)):  # type: ignore[arg-type]
            pass
    assert refused.to_do in str(raised.value.next_step)


async def test_a_management_api_that_tls_keeps_away_is_one_sentence_with_what_to_do(
    tls: TlsServers, tmp_path: Path
) -> None:
    urls = {"amqp_url": tls.amqp_url(), "management_url": tls.management_url(cafile=tls.other_ca_file)}
    done = await shell_at(tmp_path, **urls)("topology", "check")
    what, to_do = done.err.splitlines()
    assert done.code == 6
    assert what.startswith("error: no connection to the broker's management API: no CA that is trusted here")
    assert to_do.strip() == "name the PEM file of its CA in LIFECYCLE_MANAGEMENT_URL: cafile=/path/ca.pem after its `?`"


async def test_a_port_for_tls_that_is_spoken_to_without_it_is_one_sentence(tls: TlsServers, tmp_path: Path) -> None:
    done = await shell_at(tmp_path, amqp_url=tls.amqp_url(scheme="amqp", heartbeat=10))("topology", "check")
    assert (done.code, done.err.splitlines()) == (
        6,
        [
            "error: no connection to the broker: it hung up at the first word",
            "       check RabbitMQ; if this is its port for TLS, begin LIFECYCLE_AMQP_URL with amqps://",
        ],
    )


@pytest.mark.parametrize("refused", DATABASE.values(), ids=DATABASE)
async def test_a_database_that_tls_keeps_away_is_one_sentence_with_what_to_do(
    tls: TlsServers, tmp_path: Path, refused: Refused
) -> None:
    urls = {"amqp_url": tls.amqp_url(), "database_url": refused.address(tls)}
    await _check(tls, tmp_path, urls, refused, ("migrate",))


async def test_a_database_without_tls_is_one_sentence_with_what_to_do(tls: TlsServers, tmp_path: Path) -> None:
    urls = {"amqp_url": tls.amqp_url(), "database_url": NO_TLS.address(tls)}
    await tls.take_tls(wanted=False)
    try:
        await _check(tls, tmp_path, urls, NO_TLS, ("migrate",))
    finally:
        await tls.take_tls(wanted=True)


async def _check(tls: TlsServers, folder: Path, urls: dict[str, str], refused: Refused, words: tuple[str, ...]) -> None:
    """A command that needs the server, the doctor, and a service: all of them end, and say the same."""
    shell = shell_at(folder, **urls)
    async with Lives.of("normalizer", folder, **urls) as lives:
        service = lives.start()
        command, doctor = await shell(*words), await shell("doctor")
        code = await service.wait(END_SECONDS)
    log = lives.log.read_text()
    assert command.code == (2 if refused.setting else 6)
    assert code == (2 if refused.setting else 1)
    assert doctor.code != 0
    assert len(command.err.splitlines()) == 2
    for said in (command.err, doctor.out + doctor.err, log):
        assert refused.what in said
        assert refused.to_do in said
        assert "Traceback" not in said
        assert "Warning" not in said
        for url in urls.values():
            assert login_of(url)[1] not in said
