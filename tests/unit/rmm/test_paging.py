"""Link headers and where the next page starts."""

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import CursorLoop, RmmAnswerUnreadable
from shared.rmm.paging import next_cursor, next_link, step


@pytest.mark.parametrize(
    "header",
    [
        '<https://rmm.test/x?limit=500&cursor=500>; rel="next"',
        "<https://rmm.test/x?cursor=500>; rel=next",
        "<https://rmm.test/x?cursor=500>;rel=NEXT",
        '<https://rmm.test/x?cursor=500>; rel="next last"',
        '<https://rmm.test/x?cursor=500>; title="a, b; rel=prev"; rel="next"',
        '<https://rmm.test/x?cursor=0>; rel="prev", <https://rmm.test/x?cursor=500>; rel="next"',
        '<https://rmm.test/x?field=system,os&cursor=500>; rel="next", <https://rmm.test/y?cursor=9>; rel="last"',
        '<?cursor=500>; rel="next"',
        '</api/x?cursor=%35%30%30>; rel="next"',
        '<https://elsewhere.test/x?Cursor=500>; rel="next"',
    ],
)
def test_only_the_cursor_of_the_next_link_is_read(header: str) -> None:
    assert next_cursor(header) == 500


@pytest.mark.parametrize(
    "header", [None, "", '<https://rmm.test/x?cursor=1>; rel="prev"', "nonsense", "<x>", "rel=next"]
)
def test_without_a_next_link_there_is_no_cursor(header: str | None) -> None:
    assert next_cursor(header) is None


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?cursor=",
        "?cursor=abc",
        "?cursor=-1",
        "?cursor=1.5",
        "?page=2",
        "?cursor=1&cursor=2",
        "?cursor=" + "9" * 30,
        "?cursor=%D9%A1",
    ],
)
def test_a_next_link_without_a_whole_number_does_not_end_the_list_silently(query: str) -> None:
    with pytest.raises(RmmAnswerUnreadable):
        next_cursor(f"<https://rmm.test/x{query}>; rel=next")


def test_a_next_link_that_is_no_url_is_unreadable() -> None:
    with pytest.raises(RmmAnswerUnreadable):
        next_cursor("<http://[bad?cursor=1>; rel=next")


names = st.text(st.characters(codec="ascii", exclude_characters="<>\"'\\\x7f", min_codepoint=32), max_size=8)


@given(
    st.integers(0, 10**18 - 1),
    st.dictionaries(names.filter(lambda name: name.lower() != "cursor"), names, max_size=4),
    st.lists(st.sampled_from(["prev", "last", "first", "nextish"]), max_size=3),
    st.randoms(use_true_random=False),
)
def test_a_cursor_survives_any_company_in_its_header(
    cursor: int, others: dict[str, str], rels: list[str], random: object
) -> None:
    links = [f'<https://rmm.test/x?{urlencode(others | {"cursor": "7"})}>; rel="{rel}"' for rel in rels]
    links.append(f'<https://rmm.test/x?{urlencode(others | {"cursor": str(cursor)})}>; rel="next"')
    random.shuffle(links)  # type: ignore[attr-defined]
    assert next_cursor(", ".join(links)) == cursor


@given(st.text(max_size=200))
def test_no_header_makes_reading_links_fail(header: str) -> None:
    next_link(header)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 500))
def test_a_next_link_leads_onwards_or_is_a_loop(cursor: int, found: int, devices: int) -> None:
    if found > cursor:
        assert step(cursor, found, devices=devices, limit=500, links=None) == found
    else:
        with pytest.raises(CursorLoop):
            step(cursor, found, devices=devices, limit=500, links=None)


@pytest.mark.parametrize(
    ("devices", "links", "following"),
    [(500, True, None), (500, None, 1500), (500, False, 1500), (499, None, None), (499, False, None), (0, False, None)],
)
def test_without_a_link_a_full_page_is_counted_on_unless_links_are_used(
    devices: int, links: bool | None, following: int | None
) -> None:
    assert step(1000, None, devices=devices, limit=500, links=links) == following
