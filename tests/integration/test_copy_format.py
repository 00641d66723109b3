"""What Postgres reads of values in COPY's binary format, and of many texts in one parameter."""

from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.writer import copy_format as binary
from shared.postgres import Pool, array_text

texts = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9), max_size=5)
stamps = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001
sized = st.integers(-(2**63), 2**63 - 1)
on_one_database = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@on_one_database
@given(st.none() | texts, st.none() | sized, st.none() | stamps, st.uuids(), texts.map("".join))
async def test_postgres_reads_what_was_meant(
    pool: Pool, many: list[str] | None, number: int | None, at: datetime | None, key: UUID, one: str
) -> None:
    fields = (binary.texts(many), binary.bigint(number), binary.instant(at), binary.uuid(key), binary.text(one))
    body = b"".join((binary.HEADER, binary.row(len(fields)), *fields, binary.TRAILER))
    async with pool.acquire() as conn:
        await conn.execute(
            "create temp table if not exists read (many text[], number bigint, at timestamptz, key uuid, one text)"
        )
        await conn.copy_to_table("read", source=cast("Any", memoryview(body)), format="binary")
        row = await conn.fetchrow("delete from read returning *")
    assert row is not None
    assert tuple(row) == (many, number, at, key, one)


@on_one_database
@given(texts)
async def test_many_texts_in_one_parameter_are_the_same_texts(pool: Pool, many: list[str]) -> None:
    assert await pool.fetchval("select $1::text::text[]", array_text(many)) == many


@pytest.mark.parametrize("text", ['"', "\\", "{", "}", ",", " ", "NULL", "null", "", '","', '\\"', "a\nb\tc"])
async def test_no_text_is_taken_for_syntax(pool: Pool, text: str) -> None:
    for many in ([text], [text, text], ["a", text, "b"]):
        assert await pool.fetchval("select $1::text::text[]", array_text(many)) == many
