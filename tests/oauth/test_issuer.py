"""Signing, and what counts as a token of ours."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jws, jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from broker.model.errors import ErrorCode, OAuthError
from broker.model.pool import SigningAlgorithm
from broker.model.tokens import Authorization, PoolKeys, SigningKey
from broker.oauth.id_token_hint import Hint, read_hint
from broker.oauth.issuer import PoolIssuer
from tests.kit.clock import ManualClock
from tests.kit.pools import CLIENT, USER, client, pool

RS256, ES256 = SigningAlgorithm.RS256, SigningAlgorithm.ES256


@cache
def signing_key(kid: str, algorithm: SigningAlgorithm = RS256) -> SigningKey:
    private: Any = (
        rsa.generate_private_key(65537, 2048)
        if algorithm is RS256
        else ec.generate_private_key(ec.SECP256R1())
    )
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return SigningKey(kid=kid, algorithm=algorithm, private_pem=pem)


def keys(prefix: str = "", algorithm: SigningAlgorithm = RS256) -> PoolKeys:
    return PoolKeys(
        id_token=(signing_key(f"{prefix}id", algorithm),),
        access_token=(signing_key(f"{prefix}access", algorithm),),
        saml_signing=(),
        saml_encryption=(),
    )


def issuer(prefix: str = "", algorithm: SigningAlgorithm = RS256, **members: Any) -> PoolIssuer:
    return PoolIssuer(
        pool=pool(CLIENT, signing_algorithm=algorithm, **members),
        keys=keys(prefix, algorithm),
        clock=ManualClock(),
    )


OURS = issuer()


def authorized(**changes: Any) -> Authorization:
    values: dict[str, Any] = {
        "client": CLIENT,
        "user": USER,
        "scopes": ("openid",),
        "auth_time": 1_800_000_000,
        "origin_jti": "family",
    }
    return Authorization(**{**values, **changes})


def header(token: str) -> dict[str, object]:
    encoded = token.split(".", maxsplit=1)[0]
    decoded: dict[str, object] = json.loads(base64.urlsafe_b64decode(encoded + "=="))
    return decoded


def reheaded(token: str, **members: object) -> str:
    """The token under another header, its signature kept."""
    new = base64.urlsafe_b64encode(json.dumps(members).encode()).rstrip(b"=").decode()
    return ".".join([new, *token.split(".")[1:]])


def refused(token: str, by: PoolIssuer = OURS) -> str:
    with pytest.raises(OAuthError) as raised:
        by.verify_access_token(token)
    assert raised.value.code is ErrorCode.INVALID_TOKEN
    return raised.value.reason


@pytest.mark.parametrize("algorithm", [RS256, ES256])
def test_tokens_verify_against_the_published_keys(algorithm: SigningAlgorithm) -> None:
    ours = issuer(algorithm=algorithm, prefix=algorithm.value)
    tokens = ours.issue(authorized())
    published = KeySet.import_key_set(json.loads(ours.jwks))
    for token in (tokens.access_token, tokens.id_token):
        assert token is not None
        assert jwt.decode(token, published, algorithms=[algorithm.value]).claims["sub"] == USER.sub


def test_headers_are_kid_and_alg_and_nothing_else() -> None:
    tokens = OURS.issue(authorized())
    assert header(tokens.access_token) == {"kid": "access", "alg": "RS256"}
    assert header(tokens.id_token or "") == {"kid": "id", "alg": "RS256"}


def test_the_jwks_shows_public_members_alone() -> None:
    published = json.loads(OURS.jwks)["keys"]
    assert [set(key) for key in published] == [{"alg", "kid", "use", "kty", "n", "e"}] * 2
    assert len({key["kid"] for key in published}) == 2


def test_each_issue_is_new() -> None:
    first, second = OURS.issue(authorized()), OURS.issue(authorized())
    assert first.access_token != second.access_token
    assert first.id_token != second.id_token


@pytest.mark.parametrize(
    "changes",
    [{"scopes": ("api/read",)}, {"user": None, "scopes": ("api/read",), "origin_jti": None}],
)
def test_no_id_token_without_openid_and_a_user(changes: dict[str, Any]) -> None:
    assert OURS.issue(authorized(**changes)).id_token is None


@pytest.mark.parametrize("algorithm", [RS256, ES256])
def test_an_access_token_of_ours_is_read(algorithm: SigningAlgorithm) -> None:
    ours = issuer(algorithm=algorithm, prefix=algorithm.value)
    claims = ours.verify_access_token(ours.issue(authorized()).access_token)
    assert claims["sub"] == USER.sub


def test_a_token_of_any_key_of_the_ring_is_read() -> None:
    token = OURS.issue(authorized()).access_token
    rotated = replace(
        OURS.keys, access_token=(signing_key("next"), *OURS.keys.access_token, signing_key("old"))
    )
    assert replace(OURS, keys=rotated).verify_access_token(token)["sub"] == USER.sub


@pytest.mark.parametrize("algorithm", [RS256, ES256])
def test_every_character_of_a_token_counts(algorithm: SigningAlgorithm) -> None:
    """Those of the signature too, of which base64 would let some pass: the last, and what it skips."""
    ours = issuer(algorithm=algorithm, prefix=algorithm.value)
    token = ours.issue(authorized()).access_token
    for place in range(len(token)):
        other = "A" if token[place] != "A" else "B"
        assert refused(token[:place] + other + token[place + 1 :], ours) == "token_not_ours"
    last = chr(ord(token[-1]) + 1)
    for changed in (f"{token[:-1]}{last}", f"{token}!", f"{token}=", f"{token[:-9]}\n{token[-9:]}"):
        assert refused(changed, ours) == "token_not_ours"


@pytest.mark.parametrize("kept", [0, 1, 20, 63])
def test_a_signature_that_was_cut_refuses(kept: int) -> None:
    ours = issuer(algorithm=ES256, prefix="ES256")
    signed, _, signature = ours.issue(authorized()).access_token.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")[:kept]
    cut = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    assert refused(f"{signed}.{cut}", ours) == "token_not_ours"


@pytest.mark.parametrize("algorithm", [RS256, ES256])
def test_another_header_is_not_ours_though_our_key_signed_it(algorithm: SigningAlgorithm) -> None:
    """The same members in another order: as long as ours, and as true."""
    ours = issuer(algorithm=algorithm, prefix=algorithm.value)
    token = ours.issue(authorized()).access_token
    other = {name: header(token)[name] for name in ("alg", "kid")}
    payload = base64.urlsafe_b64decode(token.split(".")[1] + "==")
    key = (RSAKey if algorithm is RS256 else ECKey).import_key(
        ours.keys.access_token[0].private_pem
    )
    assert refused(jws.serialize_compact(other, payload, key), ours) == "token_not_ours"


@pytest.mark.parametrize("zeros", [1, 32, 3000])
def test_the_same_numbers_at_another_length_are_no_signature(zeros: int) -> None:
    """RFC 7518 3.4: 64 octets, or the validation has failed."""
    ours = issuer(algorithm=ES256, prefix="ES256")
    signed, _, signature = ours.issue(authorized()).access_token.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    longer = base64.urlsafe_b64encode(raw[:32] + bytes(zeros) + raw[32:]).rstrip(b"=").decode()
    assert refused(f"{signed}.{longer}", ours) == "token_not_ours"


def test_an_access_token_dies_at_its_exp() -> None:
    clock = ManualClock()
    ours = replace(OURS, clock=clock)
    token = ours.issue(authorized()).access_token
    clock.advance(3599)
    assert ours.verify_access_token(token)
    clock.advance(1)
    assert refused(token, ours) == "access_token_expired"


def test_an_id_token_is_no_access_token() -> None:
    assert refused(OURS.issue(authorized()).id_token or "") == "token_not_ours"


def test_an_id_token_signed_by_the_access_key_is_none_either() -> None:
    # The keys differ, and so does token_use: either check alone would refuse.
    forged = OURS._access_signers[0].sign({"token_use": "id", "iss": OURS.pool.issuer, "exp": 9e9})
    assert refused(forged) == "token_not_ours"


def test_an_access_token_signed_by_the_id_key_is_none_either() -> None:
    claims = OURS.verify_access_token(OURS.issue(authorized()).access_token)
    assert OURS.verify_access_token(OURS._access_signers[0].sign(claims))
    assert refused(OURS._id_signers[0].sign(claims)) == "token_not_ours"


def test_another_issuers_token_refuses_even_with_our_key() -> None:
    other = replace(OURS, pool=pool(CLIENT, issuer="https://other.example/pool"))
    assert refused(other.issue(authorized()).access_token) == "token_not_ours"


def test_another_pools_key_refuses_even_with_our_issuer() -> None:
    other = issuer("other-")
    token = other.issue(authorized()).access_token
    assert refused(token) == "token_not_ours"
    assert refused(reheaded(token, alg="RS256", kid="access")) == "token_not_ours"


def test_alg_none_and_hmac_with_the_public_key_refuse() -> None:
    token = OURS.issue(authorized()).access_token
    unsigned = reheaded(token, alg="none").rpartition(".")[0] + "."
    assert refused(unsigned) == "token_not_ours"
    payload = base64.urlsafe_b64decode(token.split(".")[1] + "==")
    public = json.loads(OURS.jwks)["keys"][1]["n"]
    by_hmac = jws.serialize_compact(
        {"alg": "HS256", "kid": "access"}, payload, OctKey.import_key(public), algorithms=["HS256"]
    )
    assert refused(by_hmac) == "token_not_ours"


def test_unknown_critical_headers_refuse() -> None:
    token = OURS.issue(authorized()).access_token
    assert refused(reheaded(token, alg="RS256", kid="access", crit=["b64"], b64=True))


@pytest.mark.parametrize(
    "token", ["", "a", "a.b.c", "é.é.é", "..", "eyJ9.e30.x", "\udc80.a.b", "a" * 9000]
)
def test_garbage_refuses(token: str) -> None:
    assert refused(token) == "token_not_ours"


def test_a_changed_payload_refuses() -> None:
    head, _, signature = OURS.issue(authorized()).access_token.split(".")
    payload = base64.urlsafe_b64encode(b'{"token_use":"access"}').rstrip(b"=").decode()
    assert refused(f"{head}.{payload}.{signature}") == "token_not_ours"


# -- id_token_hint ---------------------------------------------------------------------------


def test_a_hint_names_user_and_client_even_when_expired() -> None:
    clock = ManualClock()
    ours = replace(OURS, clock=clock)
    token = ours.issue(authorized()).id_token or ""
    clock.advance(10 * 86400)
    assert read_hint(token, ours) == Hint(sub=USER.sub, client_id="web")


def test_an_access_token_hints_at_nothing() -> None:
    assert read_hint(OURS.issue(authorized()).access_token, OURS) is None


def test_an_unsigned_hint_is_none() -> None:
    token = OURS.issue(authorized()).id_token or ""
    assert read_hint(reheaded(token, alg="none"), OURS) is None
    assert read_hint(reheaded(token, alg="none").rpartition(".")[0] + ".", OURS) is None


def test_a_hint_for_a_client_of_another_pool_is_none() -> None:
    token = OURS.issue(authorized(client=client(id="elsewhere"))).id_token or ""
    assert read_hint(token, OURS) is None
