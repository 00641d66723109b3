"""`topology show|check|declare`: exchanges, queues and streams."""

from typing import Annotated

import typer

from lifecycle.command import add
from lifecycle.exits import ExitCode
from lifecycle.output import Output

SettleOption = Annotated[
    bool, typer.Option("--settle/--no-settle", help="Wait until new queues survive a crash of the broker (3 s).")
]


def register(app: typer.Typer) -> None:
    """Adds the commands to the app."""
    group = typer.Typer(help="Exchanges, queues and streams on the broker.", no_args_is_help=True)
    add(group, "show")(show)
    add(group, "check")(check)
    add(group, "declare")(declare)
    app.add_typer(group, name="topology")


async def show(out: Output) -> None:
    """List the queues and streams that belong on the broker; needs no broker.

    lifecycle topology show
    lifecycle topology show --json
    """
    from shared import topology  # noqa: PLC0415 - `--help` is quick

    if out.json_wanted:
        queues = [
            {"name": queue.name, "arguments": queue.arguments, "bindings": [list(one) for one in queue.bindings]}
            for queue in topology.queues()
        ]
        out.document({"exchanges": list(topology.EXCHANGES), "queues": queues})
        return
    rows = [
        (queue.name, queue.arguments.get("x-queue-type", "classic"), ", ".join(key for _, key in queue.bindings))
        for queue in topology.queues()
    ]
    out.table(("queue", "type", "keys"), rows)


async def check(out: Output) -> ExitCode:
    """Look whether every exchange, queue and binding is on the broker; changes nothing.

        lifecycle topology check && echo complete

    Ends with 1 where something is missing. Bindings are looked at through the broker's management API: that of the
    stack here, or the one at LIFECYCLE_MANAGEMENT_URL.
    """
    from lifecycle.session import amqp_url, management_url  # noqa: PLC0415 - `--help` is quick
    from lifecycle.stack.management import missing_bindings  # noqa: PLC0415 - the same
    from shared import declaration  # noqa: PLC0415 - the same

    api = management_url()
    findings = await declaration.check(amqp_url())
    unbound = await missing_bindings(api, amqp_url()) if api else []
    findings += [
        declaration.Finding("binding", f"{exchange} {key} {queue}", present=False) for exchange, key, queue in unbound
    ]
    missing = [finding for finding in findings if not finding.present]
    if out.json_wanted:
        out.document(
            [
                {
                    "kind": one.kind,
                    "name": one.name,
                    "present": one.present,
                    "messages": one.messages,
                    "consumers": one.consumers,
                }
                for one in findings
            ]
        )
    else:
        rows = [
            (one.kind, one.name, "there" if one.present else "missing", one.messages, one.consumers) for one in findings
        ]
        out.table(("kind", "name", "state", "messages", "consumers"), rows)
    if missing:
        out.message(f"{len(missing)} missing; declare them with: lifecycle topology declare")
    if api is None:
        out.message(
            "bindings were not looked at: set LIFECYCLE_MANAGEMENT_URL to the broker's management API; "
            "lifecycle topology declare puts back what is missing"
        )
    return ExitCode.FAILED if missing else ExitCode.DONE


async def declare(out: Output, *, settle: SettleOption = True) -> None:
    """Declare every exchange, queue and binding that is missing; twice is harmless.

    lifecycle topology declare
    """
    from lifecycle.session import amqp_url  # noqa: PLC0415 - `--help` is quick
    from shared import declaration  # noqa: PLC0415 - the same

    with out.progress("declaring"):
        new = await declaration.declare(amqp_url(), settle=settle)
    if out.json_wanted:
        out.document({"new_queues": new})
    out.message(f"{len(new)} new queues" if new else "everything was there")
