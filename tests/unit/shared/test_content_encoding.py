"""Bodies packed and unpacked: what travels, what is refused, and what a hostile body may cost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.content_encoding import MAX_PLAIN_BYTES, pack, unpack
from shared.errors import BadMessage


@given(st.binary(max_size=2000))
def test_what_is_packed_comes_back(body: bytes) -> None:
    assert unpack(pack(body, "zstd"), "zstd") == body


@pytest.mark.parametrize("encoding", [None, "", "identity"])
def test_a_plain_body_is_taken_as_it_is(encoding: str | None) -> None:
    assert unpack(b"{}", encoding) == b"{}"
    assert pack(b"{}", "identity") == b"{}"


def test_a_page_shrinks() -> None:
    page = b",".join(b'{"endpointID":"%032x","operatingSystem":"Windows 11"}' % number for number in range(500))
    assert len(pack(page, "zstd")) < len(page) / 3


@pytest.mark.parametrize(
    ("body", "encoding", "said"),
    [
        (b"{}", "gzip", "'gzip'"),
        (b"{}", "zstd", "is not"),
        (pack(b"x" * 5000, "zstd")[:-3], "zstd", "not one whole zstd frame"),
        (pack(bytes(MAX_PLAIN_BYTES + 1), "zstd"), "zstd", f"at most {MAX_PLAIN_BYTES} bytes"),
    ],
)
def test_what_cannot_be_unpacked_is_a_bad_message(body: bytes, encoding: str, said: str) -> None:
    with pytest.raises(BadMessage, match=said):
        unpack(body, encoding)
