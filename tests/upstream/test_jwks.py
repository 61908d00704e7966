"""Which entries of a key set count, and when it is fetched."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, RSAKey

from broker.model.errors import Reason, UpstreamError
from broker.upstream.cache import Ration
from broker.upstream.http import HttpClient
from broker.upstream.jwks import MAX_KEYS, STALE_SECONDS, Jwks, parse_keys, published_keys
from tests.kit.clock import ManualClock
from tests.kit.http_double import HttpDouble, Reply, as_json, html
from tests.kit.jose import ec_key, ed_key, rsa_key
from tests.upstream.sign_ins import provider

GOOD = rsa_key().jwk()


class Published:
    """A key set behind a URL."""

    def __init__(self, *entries: dict[str, Any]) -> None:
        self.entries = list(entries)
        self.reply: Reply | None = None

    def __call__(self, _asked: object) -> Reply:
        return self.reply or as_json({"keys": self.entries})


def keys_of(double: HttpDouble, http: HttpClient, clock: ManualClock) -> Jwks:
    corp = provider(name="Corp", client_id="x")
    return Jwks(
        published=published_keys(corp, lambda: f"{double.url}/jwks", http, clock),
        ration=Ration(clock=clock),
    )


@pytest.mark.parametrize(
    "entry",
    [
        GOOD,
        {**GOOD, "alg": "RS256"},
        {**GOOD, "key_ops": ["verify"]},
        {**GOOD, "x5u": "not a URL", "x5c": "not a list", "vendor": {"a": 1}},
        {n: v for n, v in GOOD.items() if n not in ("use", "kid")},
        ec_key().jwk(),
        ec_key("p521", "P-521").jwk(),
        ed_key().jwk(),
    ],
)
def test_keys_that_count(entry: dict[str, Any]) -> None:
    assert len(parse_keys([entry])) == 1


@pytest.mark.parametrize(
    "entry",
    [
        {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0", "kid": "rsa-1"},
        {**GOOD, "use": "enc"},
        {**GOOD, "key_ops": ["encrypt"]},
        {**GOOD, "kty": "oct"},
        {**GOOD, "kty": ["RSA"]},
        {**GOOD, "n": 7},
        {**GOOD, "n": ""},
        {**GOOD, "n": "!!"},
        {**GOOD, "n": "A"},
        {**GOOD, "e": "AA"},
        {**GOOD, "e": "é"},
        rsa_key("short", 1024).jwk(),
        {**ec_key().jwk(), "crv": "secp256k1"},
        {**ec_key().jwk(), "crv": "P-384"},
        {**ec_key().jwk(), "x": ec_key("other").jwk()["x"]},
        {**ed_key().jwk(), "crv": "X25519"},
        {**ed_key().jwk(), "crv": "P-256"},
        {**ec_key().jwk(), "crv": "Ed25519"},
        {},
        "not an object",
        None,
    ],
)
def test_entries_that_do_not(entry: Any) -> None:
    assert [key.kid for key in parse_keys([entry, {**GOOD, "kid": "good"}])] == ["good"]


def test_a_private_part_is_not_taken() -> None:
    (key,) = parse_keys([{**GOOD, "d": "AQAB", "p": "x"}])

    assert not key.key.is_private


def test_a_key_set_has_an_end() -> None:
    assert len(parse_keys([GOOD] * 500)) == MAX_KEYS


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["kty", "kid", "use", "key_ops", "alg", "n", "e", "crv", "x", "y"]),
            st.one_of(
                st.none(),
                st.integers(),
                st.text(max_size=20),
                st.lists(st.text(max_size=5), max_size=3),
                st.sampled_from(["RSA", "EC", "OKP", "P-256", "Ed25519", "AQAB", GOOD["n"]]),
            ),
        ),
        max_size=5,
    )
)
def test_no_entry_breaks_the_others(entries: list[Any]) -> None:
    assert parse_keys([*entries, {**GOOD, "kid": "last"}])[-1].kid == "last"


def test_keys_are_fetched_once(http: HttpClient, clock: ManualClock) -> None:
    with HttpDouble(Published(GOOD)) as double:
        keys = keys_of(double, http, clock)
        for _ in range(5):
            assert next(keys.matching("rsa-1"))
        assert double.count("/jwks") == 1


def test_made_up_kids_cause_five_fetches_a_minute(http: HttpClient, clock: ManualClock) -> None:
    with HttpDouble(Published(GOOD)) as double:
        keys = keys_of(double, http, clock)
        for number in range(20):
            with pytest.raises(UpstreamError) as caught:
                next(keys.matching(f"made-up-{number}"))
            assert caught.value.reason is Reason.OIDC_KEY_UNKNOWN
        assert double.count("/jwks") == 1 + 5

        assert next(keys.matching("rsa-1"))
        clock.advance(61)
        with pytest.raises(UpstreamError):
            next(keys.matching("made-up"))
        assert double.count("/jwks") == 1 + 6


def test_a_withdrawn_key_is_gone_when_the_set_is_refreshed(
    http: HttpClient, clock: ManualClock
) -> None:
    published = Published(GOOD)
    with HttpDouble(published) as double:
        keys = keys_of(double, http, clock)
        assert next(keys.matching("rsa-1"))
        published.entries = [ec_key().jwk()]
        clock.advance(601)
        with pytest.raises(UpstreamError):
            next(keys.matching("rsa-1"))


def test_known_keys_outlive_a_short_outage_and_no_more(
    http: HttpClient, clock: ManualClock
) -> None:
    published = Published(GOOD)
    with HttpDouble(published) as double:
        keys = keys_of(double, http, clock)
        assert next(keys.matching("rsa-1"))
        published.reply = html(503)
        clock.advance(STALE_SECONDS - 1)
        assert next(keys.matching("rsa-1"))
        clock.advance(1)
        with pytest.raises(UpstreamError) as caught:
            next(keys.matching("rsa-1"))

    assert caught.value.reason is Reason.OIDC_JWKS
    assert caught.value.public == "Corp Error - 503 error getting keys"


@pytest.mark.parametrize("body", [b"{}", b'{"keys":{}}', b"[]", b"<html>", b""])
def test_what_is_no_key_set_is_refused(http: HttpClient, clock: ManualClock, body: bytes) -> None:
    with HttpDouble(lambda _: Reply(body=body)) as double, pytest.raises(UpstreamError) as caught:
        next(keys_of(double, http, clock).matching("rsa-1"))

    assert caught.value.reason is Reason.OIDC_JWKS


def test_an_empty_key_set_verifies_nothing(http: HttpClient, clock: ManualClock) -> None:
    with HttpDouble(Published()) as double:
        for kid in ("rsa-1", None):
            with pytest.raises(UpstreamError):
                next(keys_of(double, http, clock).matching(kid))


def test_two_keys_of_one_name_are_both_tried(http: HttpClient, clock: ManualClock) -> None:
    with HttpDouble(Published(GOOD, ec_key().jwk(kid="rsa-1"))) as double:
        keys = keys_of(double, http, clock).matching("rsa-1")
        assert [type(key.key) for key in islice(keys, 2)] == [RSAKey, ECKey]
        assert double.count("/jwks") == 1
