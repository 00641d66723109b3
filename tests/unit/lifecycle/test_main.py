"""The command line as a whole: what it prints where, and how it ends."""

import json
from pathlib import Path

import pytest
import typer

from lifecycle import main
from lifecycle.command import add
from lifecycle.exits import ExitCode, Refused
from lifecycle.output import Output


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No stack of this checkout, and none of its settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIFECYCLE_LOCAL_DIR", str(tmp_path / "local"))
    for name in ("LIFECYCLE_AMQP_URL", "LIFECYCLE_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--help"]) == 0

    shown = capsys.readouterr().out
    for command in ("up", "down", "ps", "env", "migrate", "topology", "secrets", "doctor"):
        assert f"  {command} " in shown


def test_help_of_a_command_begins_with_examples_on_lines_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["up", "--help"]) == 0

    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert "lifecycle up --scale writer=2 --devices 5000" in lines


@pytest.mark.parametrize("command", [("up",), ("down",), ("ps",), ("env",), ("migrate",), ("topology", "declare")])
def test_examples_are_set_off_from_the_text(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run([*command, "--help"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith(f"      lifecycle {' '.join(command)}")]


def test_a_typo_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["dwon"]) == ExitCode.USAGE
    assert "Did you mean 'down'?" in capsys.readouterr().err


def test_wrong_usage_is_a_document_under_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["ps", "--json", "--nonsense"]) == ExitCode.USAGE
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "wrong_usage"


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run([]) == ExitCode.USAGE
    assert "Commands:" in capsys.readouterr().err


def test_ps_without_a_stack_is_an_empty_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["ps", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_env_without_a_stack_is_not_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["env", "--json"]) == ExitCode.NOT_FOUND
    assert json.loads(capsys.readouterr().out)["error"]["next_step"] == "start one with: lifecycle up"


def test_down_without_a_stack_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["down", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"stopped": 0, "purged": False}


def test_migrate_without_an_address_is_unreachable() -> None:
    assert main.run(["migrate", "--json"]) == ExitCode.UNREACHABLE


def test_a_scale_for_an_unknown_service_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["up", "--detach", "--scale", "wirter=2"]) == ExitCode.USAGE
    assert "there is no service 'wirter'" in capsys.readouterr().err


def test_keys_are_made_once_and_only_their_owner_reads_the_private_one(
    own_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    private, public = own_folder / "private", own_folder / "public"
    words = ["secrets", "keygen", "--private", str(private), "--public", str(public), "--json"]

    assert main.run(words) == 0
    assert private.stat().st_mode & 0o777 == 0o600
    assert private.read_text().strip() not in "".join(capsys.readouterr())
    assert main.run(words) == ExitCode.REFUSED


@pytest.mark.parametrize("in_dotenv", [False, True])
def test_a_setting_whose_file_is_not_there_is_wrong_usage(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, in_dotenv: bool
) -> None:
    nowhere = str(own_folder / "nowhere")
    if in_dotenv:
        (own_folder / ".env").write_text(f"LIFECYCLE_DATABASE_URL_FILE={nowhere}\n")
    else:
        monkeypatch.setenv("LIFECYCLE_DATABASE_URL_FILE", nowhere)

    assert main.run(["runs", "list"]) == ExitCode.USAGE
    assert f"LIFECYCLE_DATABASE_URL_FILE: the file {nowhere} can't be read" in capsys.readouterr().err


def test_doctor_shows_what_is_wrong_without_the_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LIFECYCLE_AMQP_URL", "amqp://someone:canary@127.0.0.1:1/")

    assert main.run(["doctor", "--json"]) == ExitCode.FAILED

    captured = capsys.readouterr()
    (red,) = [check for check in json.loads(captured.out) if not check["good"]]
    assert red["name"] == "broker"
    assert red["fix"]
    assert "canary" not in captured.out + captured.err


def test_a_fault_of_the_program_is_a_sentence_and_its_traceback_a_file(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> typer.Typer:
        raise KeyError("x")

    monkeypatch.setattr(main, "make_app", broken)

    assert main.run(["ps"]) == ExitCode.FAILED
    assert "Traceback" not in capsys.readouterr().err
    assert "KeyError" in (own_folder / "local/logs/command-errors.log").read_text()


def test_a_command_returns_its_exit_code_and_stays_callable(monkeypatch: pytest.MonkeyPatch) -> None:
    app = typer.Typer()
    app.callback()(lambda: None)

    @add(app, "partly")
    async def partly(out: Output, *, refuse: bool = False) -> ExitCode:
        if refuse:
            raise Refused("not today")
        out.message("half of it")
        return ExitCode.PARTIAL

    monkeypatch.setattr(main, "make_app", lambda: app)

    assert main.run(["partly"]) == ExitCode.PARTIAL
    assert main.run(["partly", "--refuse", "--json"]) == ExitCode.REFUSED
    assert partly.__name__ == "partly"
