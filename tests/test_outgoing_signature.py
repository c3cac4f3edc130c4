"""Signatures: made as receivers expect them, and verified so that nothing else passes."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brrtrouter import ConfigError
from brrtrouter.errors import SignatureError
from brrtrouter.outgoing.signature import Signer

# The example of the Standard Webhooks specification's own libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
STAMP = 1614265330


def signer(secret: Any = SECRET, now: float = STAMP, **options: Any) -> Signer:
    return Signer(secret, now=lambda: now, **options)


def test_the_known_message_has_the_known_signature() -> None:
    headers = signer().headers(ID, STAMP, BODY)
    assert headers == {"webhook-id": ID, "webhook-timestamp": str(STAMP), "webhook-signature": SIGNATURE}
    signer().verify(headers, BODY)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"webhook-signature": ""}, "there is no webhook-signature"),
        ({"webhook-signature": "v1,AAAA"}, "is not right"),
        ({"webhook-signature": SIGNATURE.replace("v1,", "v2,")}, "is not right"),
        ({"webhook-signature": SIGNATURE[3:]}, "is not right"),
        ({"webhook-signature": "v1,é"}, "is not right"),
        ({"webhook-signature": f"{SIGNATURE} " * 17}, "more than 16 signatures"),
        ({"webhook-id": "other"}, "is not right"),
        ({"webhook-id": ""}, "is missing or malformed"),
        ({"webhook-id": "msg.1"}, "is missing or malformed"),
        ({"webhook-timestamp": ""}, "is missing or malformed"),
        ({"webhook-timestamp": "1e9"}, "is missing or malformed"),
        ({"webhook-timestamp": "-1"}, "is missing or malformed"),
        ({"webhook-timestamp": str(STAMP + 1)}, "is not right"),
        ({"webhook-timestamp": str(STAMP - 301)}, "is more than 300 seconds away"),
        ({"webhook-timestamp": str(STAMP + 301)}, "is more than 300 seconds away"),
    ],
)
def test_a_message_that_was_changed_is_refused(changed: dict[str, str], words: str) -> None:
    with pytest.raises(SignatureError, match=words) as refused:
        signer().verify({**signer().headers(ID, STAMP, BODY), **changed}, BODY)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("away", [-300, 300])
def test_the_tolerance_itself_is_accepted(away: int) -> None:
    signer(now=STAMP + away).verify(signer().headers(ID, STAMP, BODY), BODY)


def test_a_secret_is_replaced_without_a_gap() -> None:
    old, new = signer("old"), signer("new")
    both = signer(["new", "old"])
    both.verify(old.headers(ID, STAMP, BODY), BODY)
    both.verify(new.headers(ID, STAMP, BODY), BODY)
    headers = old.headers(ID, STAMP, BODY)
    headers["webhook-signature"] += " " + new.headers(ID, STAMP, BODY)["webhook-signature"]
    new.verify(headers, BODY)
    assert both.headers(ID, STAMP, BODY) == new.headers(ID, STAMP, BODY)


def test_the_format_hex_covers_the_body_alone() -> None:
    # RFC 4231 section 4.3, test case 2.
    hex_signer = signer("Jefe", format="hex", header="X-Hub-Signature-256")
    body = b"what do ya want for nothing?"
    digest = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert hex_signer.headers("", 0, body) == {"X-Hub-Signature-256": f"sha256={digest}"}
    hex_signer.verify({"x-hub-signature-256": f"sha256={digest}"}, body)
    with pytest.raises(SignatureError):
        hex_signer.verify({"x-hub-signature-256": digest}, body)


@pytest.mark.parametrize(
    "options",
    [{"secret": ""}, {"secret": []}, {"secret": "whsec_"}, {"secret": "whsec_*"}, {"header": "a b"}, {"format": "md5"}],
)
def test_what_cannot_be_used_is_refused_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        signer(**options)


def test_a_signer_never_shows_its_secret() -> None:
    assert SECRET not in repr(signer())


@given(st.binary(min_size=1, max_size=40), st.binary(max_size=60), st.integers(0, 59))
def test_any_key_verifies_its_own_messages_and_no_others(key: bytes, body: bytes, at: int) -> None:
    own = signer("whsec_" + base64.b64encode(key).decode())
    headers = own.headers(ID, STAMP, body)
    own.verify(headers, body)
    changed = bytearray(body or b"x")
    changed[at % len(changed)] ^= 1
    with pytest.raises(SignatureError):
        own.verify(headers, bytes(changed))
