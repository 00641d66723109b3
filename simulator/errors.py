"""Error answers in the several shapes that the vendor's API families use."""

from typing import Literal

import msgspec

Family = Literal["token", "company", "device"]
Style = Literal["family", "code_message", "message"]


class Refused(Exception):  # noqa: N818 - an answer, not a fault of the simulator
    """The request is answered with an error status."""

    def __init__(self, status: int, code: str, text: str, family: Family = "device") -> None:
        """Answer `status`; `code` and `text` go where the family's shape has them."""
        super().__init__(f"{status} {code}: {text}")
        self.status = status
        self.code = code
        self.text = text
        self.family: Family = family


def not_found(text: str = "resource not found", family: Family = "device") -> Refused:
    """Return the 404 that also means "nothing here" on device lists."""
    return Refused(404, "not found", text, family)


def bad_request(text: str, family: Family = "device") -> Refused:
    """Return a 400 that says what is wrong."""
    return Refused(400, "bad request", text, family)


def error_body(status: int, code: str, text: str, family: Family, style: Style) -> bytes:
    """Return the JSON body of an error: the family's own shape, or one shape for all where the switch says so."""
    if family == "token":
        # Sign-in errors keep the OAuth shape whatever the switch says.
        body: object = {"error": code, "error_description": text}
    elif style == "code_message":
        body = {"code": code.replace(" ", "_"), "message": text}
    elif style == "message":
        body = {"message": text}
    elif family == "company":
        body = {"error": [{"code": str(status), "message": text}]}
    else:
        body = {"error": code, "description": text}
    return msgspec.json.encode(body)
