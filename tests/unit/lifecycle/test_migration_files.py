"""Migrations as files: names, numbers, and what is refused before a database is touched."""

from pathlib import Path

import pytest

from shared import migrations


def write(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_text(f"select '{name}';\n")
    return folder


def test_our_own_migrations_are_in_order() -> None:
    names = [migration.name for migration in migrations.load()]
    assert names == sorted(names)
    assert names[0].startswith("0001_")


def test_files_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    found = migrations.load(write(tmp_path, "0002_b.sql", "0001_a.sql"))
    assert [migration.name for migration in found] == ["0001_a.sql", "0002_b.sql"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["0001_a.sql", "0003_c.sql"], "0003_c.sql should have the number 0002"),
        (["0001_a.sql", "0001_b.sql"], "0001_b.sql should have the number 0002"),
        (["1_a.sql"], "1_a.sql is not named like"),
        ([], "there are no migrations"),
    ],
)
def test_a_wrong_name_or_number_is_refused(tmp_path: Path, names: list[str], message: str) -> None:
    with pytest.raises(migrations.MigrationError, match=message):
        migrations.load(write(tmp_path, *names))


def test_a_file_without_transaction_is_split_into_its_statements(tmp_path: Path) -> None:
    text = "-- no-transaction\n-- why\ncreate index a;\n\ncreate index b\n  on c;\n-- the end\n"
    (tmp_path / "0001_a.sql").write_text(text)

    (migration,) = migrations.load(tmp_path)

    assert not migration.transactional
    assert [one.strip().splitlines()[-1].strip() for one in migration.statements()] == ["create index a;", "on c;"]
