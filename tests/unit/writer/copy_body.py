"""Reading back what COPY is sent in its binary format."""

import struct

HEADER_BYTES = 19


def values(body: bytes) -> list[list[bytes | None]]:
    """The values of each row, None for null; everything about the frame is checked."""
    assert body[:11] == b"PGCOPY\n\xff\r\n\x00"
    assert body[11:HEADER_BYTES] == bytes(8)
    rows: list[list[bytes | None]] = []
    at = HEADER_BYTES
    while (columns := struct.unpack_from("!h", body, at)[0]) >= 0:
        at += 2
        row: list[bytes | None] = []
        for _ in range(columns):
            (length,) = struct.unpack_from("!i", body, at)
            at += 4
            row.append(None if length < 0 else body[at : at + length])
            at += max(length, 0)
        rows.append(row)
    assert columns == -1
    assert at + 2 == len(body)
    return rows
