"""Under --json one document goes to standard output and nothing else does."""

import json
from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from lifecycle.exits import NotFound
from lifecycle.output import Output


def test_a_document_takes_ids_and_times(capsys: pytest.CaptureFixture[str]) -> None:
    ident = UUID("00000000-0000-4000-8000-000000000001")
    Output(json_wanted=True).document({"id": ident, "at": datetime(2026, 1, 2, tzinfo=UTC), "on": date(2027, 3, 1)})

    assert json.loads(capsys.readouterr().out) == {
        "id": str(ident),
        "at": "2026-01-02T00:00:00+00:00",
        "on": "2027-03-01",
    }


def test_messages_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    Output().message("[bold]as it is[/bold]")

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "[bold]as it is[/bold]\n"


def test_quiet_silences_messages_and_progress_but_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    out = Output(quiet=True)
    out.message("unheard")
    with out.progress("unheard") as progress:
        progress.step("unheard")
    out.failure(NotFound("there is no asset 7"))

    assert "unheard" not in (heard := capsys.readouterr().err)
    assert "there is no asset 7" in heard


def test_a_failure_is_a_document_too(capsys: pytest.CaptureFixture[str]) -> None:
    Output(json_wanted=True).failure(NotFound("there is no asset 7", "look again"))

    captured = capsys.readouterr()
    assert json.loads(captured.out)["error"]["code"] == 3
    assert captured.err.splitlines() == ["error: there is no asset 7", "       look again"]


def test_a_table_shows_names_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    Output().table(("name", "serial"), [("[red]PC-1[/red]", None)])

    assert "[red]PC-1[/red]" in capsys.readouterr().out
