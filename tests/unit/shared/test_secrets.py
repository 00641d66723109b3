"""Secrets open only with their key and in their row, and never show themselves."""

import traceback
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from shared.errors import SecretUnreadable
from shared.secrets import KeyTextError, PrivateKeyRing, PublicKeyRing, SealInfo, generate_keypair

ACCOUNT = UUID("00000000-0000-4000-8000-000000000001")
OTHER_ACCOUNT = UUID("00000000-0000-4000-8000-000000000002")
INTEGRATION = UUID("00000000-0000-4000-8000-00000000000a")
OTHER_INTEGRATION = UUID("00000000-0000-4000-8000-00000000000b")
INFO = SealInfo(ACCOUNT, INTEGRATION, "client_secret")
PAIR = generate_keypair()
PRIVATE = PrivateKeyRing.from_text(PAIR.private_text)
PUBLIC = PublicKeyRing.from_text(PAIR.public_text)


def private_text(*pairs: object) -> str:
    return " ".join(pair.private_text.get_secret_value() for pair in pairs)  # type: ignore[attr-defined]


@given(st.binary(max_size=300))
@settings(max_examples=3 * settings.default.max_examples // 2)
def test_what_was_sealed_opens_to_the_same_bytes(content: bytes) -> None:
    assert PRIVATE.open_bytes(PUBLIC.seal(content, info=INFO), info=INFO) == content


@given(st.text(max_size=100))
@settings(max_examples=3 * settings.default.max_examples // 2)
def test_text_opens_as_a_secret_string(content: str) -> None:
    opened = PRIVATE.open(PUBLIC.seal(content, info=INFO), info=INFO)
    assert isinstance(opened, SecretStr)
    assert opened.get_secret_value() == content


@pytest.mark.parametrize(
    "elsewhere",
    [
        SealInfo(OTHER_ACCOUNT, INTEGRATION, "client_secret"),
        SealInfo(ACCOUNT, OTHER_INTEGRATION, "client_secret"),
        SealInfo(ACCOUNT, INTEGRATION, "client_secret2"),
        SealInfo(INTEGRATION, ACCOUNT, "client_secret"),
    ],
)
def test_a_ciphertext_moved_to_another_row_does_not_open(elsewhere: SealInfo) -> None:
    sealed = PUBLIC.seal("canary-plaintext", info=INFO)
    with pytest.raises(SecretUnreadable, match="damaged or belongs to another row") as caught:
        PRIVATE.open(sealed, info=elsewhere)
    assert caught.value.reason_code == "sealed_damaged"
    assert caught.value.integration_id == elsewhere.integration_id


@given(st.data())
@settings(max_examples=2 * settings.default.max_examples)
def test_a_damaged_ciphertext_does_not_open(data: st.DataObject) -> None:
    sealed = PUBLIC.seal("canary-plaintext", info=INFO)
    # The last character of unpadded base64 may hold bits that decode to nothing.
    place = data.draw(st.integers(0, len(sealed) - 2))
    letter = data.draw(st.characters(min_codepoint=33, max_codepoint=126))
    damaged = sealed[:place] + letter + sealed[place + 1 :]
    if damaged == sealed:
        return
    with pytest.raises(SecretUnreadable) as caught:
        PRIVATE.open(damaged, info=INFO)
    assert "canary" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("text", ["", "hpke1", "hpke1.abc.def", "hpke2.000000000000.AAAA", "plain secret", "hpke1.."])
def test_what_is_not_sealed_at_all_is_said_to_be_so(text: str) -> None:
    with pytest.raises(SecretUnreadable, match="is not of the form"):
        PRIVATE.open(text, info=INFO)


@pytest.mark.parametrize("body", ["", "AAAA", "!", "A"])
def test_a_sealed_text_cut_short_does_not_open(body: str) -> None:
    with pytest.raises(SecretUnreadable, match="does not open"):
        PRIVATE.open(f"hpke1.{PAIR.key_id}.{body}", info=INFO)


def test_an_unknown_key_is_named_by_its_id() -> None:
    stranger = generate_keypair()
    sealed = PublicKeyRing.from_text(stranger.public_text).seal("x", info=INFO)
    with pytest.raises(SecretUnreadable, match=stranger.key_id) as caught:
        PRIVATE.open(sealed, info=INFO)
    assert caught.value.reason_code == "key_unknown"


def test_several_keys_open_what_each_of_them_sealed_and_seal_to_the_newest() -> None:
    old, new = generate_keypair(), generate_keypair()
    ring = PrivateKeyRing.from_text(f"{private_text(new)},\n {private_text(old)}\n")
    assert ring.key_ids == (new.key_id, old.key_id)
    for pair in (old, new):
        sealed = PublicKeyRing.from_text(pair.public_text).seal("x", info=INFO)
        assert ring.open(sealed, info=INFO).get_secret_value() == "x"
    assert ring.public().seal("x", info=INFO).split(".")[1] == new.key_id


def test_rotation_seals_again_to_the_newest_key_and_is_safe_to_repeat() -> None:
    old, new = generate_keypair(), generate_keypair()
    sealed = PublicKeyRing.from_text(old.public_text).seal("x", info=INFO)
    both = PrivateKeyRing.from_text(private_text(new, old))
    assert both.needs_reseal(sealed)
    rotated = both.reseal(sealed, info=INFO)
    assert not both.needs_reseal(rotated)
    assert both.reseal(rotated, info=INFO) == rotated
    only_new = PrivateKeyRing.from_text(new.private_text)
    assert only_new.open(rotated, info=INFO).get_secret_value() == "x"
    with pytest.raises(SecretUnreadable):
        only_new.open(sealed, info=INFO)


def test_rotation_of_a_moved_ciphertext_fails_too() -> None:
    old, new = generate_keypair(), generate_keypair()
    sealed = PublicKeyRing.from_text(old.public_text).seal("x", info=INFO)
    with pytest.raises(SecretUnreadable):
        PrivateKeyRing.from_text(private_text(new, old)).reseal(
            sealed, info=SealInfo(OTHER_ACCOUNT, INTEGRATION, "client_secret")
        )


def test_the_public_ring_survives_its_text_form() -> None:
    ring = PrivateKeyRing.from_text(private_text(generate_keypair(), PAIR)).public()
    assert PublicKeyRing.from_text(ring.text()).key_ids == ring.key_ids


def test_sealing_twice_gives_two_texts() -> None:
    assert PUBLIC.seal("x", info=INFO) != PUBLIC.seal("x", info=INFO)


def test_no_repr_shows_a_key() -> None:
    material = PAIR.private_text.get_secret_value().split(".")[2]
    shown = f"{PAIR!r} {PAIR} {PRIVATE!r} {PRIVATE} {PUBLIC!r} {INFO!r}"
    assert material not in shown
    assert PAIR.key_id in shown


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "key 1 is not of the form"),
        ("swordfish", "key 1 is not of the form"),
        (f"hpke1-private.{PAIR.key_id}.c3dvcmRmaXNo", "has 9 bytes, not 32"),
        (f"hpke1-private.{PAIR.key_id}.sword=fish", "is not base64"),
        (f"hpke1-private.000000000000.{private_text(PAIR).split('.')[2]}", "does not belong to its id"),
        (f"{private_text(PAIR)} swordfish", "key 2 is not of the form"),
        (PAIR.public_text, "key 1 is not of the form"),
    ],
    # Keys are made anew in each process: without names, two workers would collect different tests.
    ids=["empty", "no key", "short", "no base64", "another id", "second", "public"],
)
def test_a_bad_private_key_text_is_told_in_one_sentence_without_its_content(text: str, words: str) -> None:
    with pytest.raises(KeyTextError, match=words) as caught:
        PrivateKeyRing.from_text(text)
    shown = "".join(traceback.format_exception_only(caught.value))
    assert "swordfish" not in shown
    assert "sword=fish" not in shown


def test_a_private_key_given_as_a_public_one_is_refused() -> None:
    with pytest.raises(KeyTextError, match="private key where a public one belongs"):
        PublicKeyRing.from_text(private_text(PAIR))


def test_a_text_that_is_not_utf_8_opens_only_as_bytes() -> None:
    sealed = PUBLIC.seal(b"\xff\xfe", info=INFO)
    assert PRIVATE.open_bytes(sealed, info=INFO) == b"\xff\xfe"
    with pytest.raises(SecretUnreadable, match="is not text"):
        PRIVATE.open(sealed, info=INFO)


@pytest.mark.parametrize("field", ["", "Client", "a b", "a/b", "x" * 65])
def test_a_field_name_has_one_form(field: str) -> None:
    with pytest.raises(ValueError, match="lower case"):
        SealInfo(ACCOUNT, INTEGRATION, field)
