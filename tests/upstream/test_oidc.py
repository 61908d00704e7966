"""A whole sign-in at an OpenID provider over real HTTP, and every lie it can tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from broker.model.errors import ErrorCode, Reason, UpstreamError
from broker.model.login import Callback, LoginSession
from broker.model.pool import IdentityProvider
from broker.ports import Upstream
from broker.upstream import oidc
from broker.upstream.discovery import FRESH_SECONDS
from broker.upstream.http import HttpClient
from tests.kit.clock import ManualClock
from tests.kit.http_double import Reply, as_json, html, redirect
from tests.kit.jose import decoded, ec_key, ed_key, rsa_key, signed
from tests.kit.oidc_op import ABSENT, CLIENT_ID, CLIENT_SECRET, OidcOp
from tests.upstream.sign_ins import BASE_URL, POOL, STATE, begin, refusal, sign_in

UNEXPECTED = "Exception processing authorization code"
Configured = Callable[..., IdentityProvider]
Connect = Callable[..., oidc.OidcUpstream]


@pytest.fixture
def connect(configured: Configured, http: HttpClient, clock: ManualClock) -> Connect:
    def made(*, mapping: dict[str, str] | None = None, **settings: Any) -> oidc.OidcUpstream:
        return oidc.OidcUpstream(
            pool=POOL, provider=configured(mapping=mapping, **settings), http=http, clock=clock
        )

    return made


# -- the good way ---------------------------------------------------------------------------------


def test_a_sign_in_yields_the_identity(op: OidcOp, upstream: Upstream) -> None:
    identity = sign_in(upstream, op.sign_in)

    assert (identity.provider, identity.subject, identity.issuer) == (
        "Corp",
        op.subject,
        op.issuer,
    )
    assert identity.claims["email"] == ("jane@example.test",)
    assert identity.claims["name"] == ("Jane Doe",)
    assert identity.logout == {}


def test_the_authorization_request_has_cognitos_parameters_in_its_order(
    op: OidcOp, upstream: Upstream
) -> None:
    outgoing, _ = begin(upstream)
    params = dict(parse_qsl(urlsplit(outgoing.url).query))

    assert list(params)[:5] == ["client_id", "redirect_uri", "scope", "response_type", "state"]
    assert params["redirect_uri"] == f"{BASE_URL}/oauth2/idpresponse"
    assert params["state"] == STATE
    assert params["nonce"] == outgoing.remember["nonce"]
    assert params["code_challenge_method"] == "S256"
    assert "scope=openid+email&" in outgoing.url
    assert not {"prompt", "login_hint", "max_age"} & set(params)


def test_every_sign_in_has_its_own_nonce_and_verifier(upstream: Upstream) -> None:
    first, second = begin(upstream)[0].remember, begin(upstream)[0].remember

    assert first["nonce"] != second["nonce"]
    assert first["code_verifier"] != second["code_verifier"]
    assert len(first["nonce"]) >= 32
    assert len(first["code_verifier"]) >= 43


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ({"login_hint": "jane+x@example.test"}, {"login_hint": "jane+x@example.test"}),
        ({"prompt": ("login",)}, {"prompt": "login", "max_age": "0"}),
        ({"prompt": ("consent", "select_account")}, {"prompt": "consent select_account"}),
        ({"prompt": ("none",)}, {}),
        ({"max_age": 60}, {"max_age": "60"}),
        ({"max_age": 60, "prompt": ("login",)}, {"prompt": "login", "max_age": "0"}),
    ],
)
def test_what_the_app_asked_of_the_sign_in_is_passed_on(
    upstream: Upstream, asked: dict[str, Any], sent: dict[str, str]
) -> None:
    outgoing, _ = begin(upstream, **asked)
    params = dict(parse_qsl(urlsplit(outgoing.url).query))

    assert {n: v for n, v in params.items() if n in ("login_hint", "prompt", "max_age")} == sent


def test_no_pkce_where_the_provider_does_not_support_it(op: OidcOp, upstream: Upstream) -> None:
    op.metadata["code_challenge_methods_supported"] = ["plain"]

    outgoing, _ = begin(upstream)

    assert "code_challenge" not in outgoing.url
    assert "code_verifier" not in outgoing.remember
    assert sign_in(upstream, op.sign_in).subject == op.subject


def test_an_authorize_url_keeps_its_own_query(op: OidcOp, connect: Connect) -> None:
    upstream = connect(authorize_url=f"{op.issuer}/authorize?audience=api")

    outgoing, _ = begin(upstream)

    assert outgoing.url.startswith(f"{op.issuer}/authorize?audience=api&client_id=")


# -- claims ---------------------------------------------------------------------------------------


def test_claims_of_the_id_token_win_over_userinfo(op: OidcOp, upstream: Upstream) -> None:
    op.id_token = {"email": "token@example.test"}
    op.user_info = {"email": "userinfo@example.test", "picture": "https://op.test/p"}

    claims = sign_in(upstream, op.sign_in).claims

    assert claims["email"] == ("token@example.test",)
    assert claims["picture"] == ("https://op.test/p",)


def test_subjects_and_claims_are_any_unicode(op: OidcOp, upstream: Upstream) -> None:
    op.subject = "Ünïcödé|名前😀"
    op.id_token = {"name": "Zoë 😀"}

    identity = sign_in(upstream, op.sign_in)

    assert identity.subject == "Ünïcödé|名前😀"
    assert identity.claims["name"] == ("Zoë 😀",)


def test_nested_claims_have_dotted_paths(op: OidcOp, connect: Connect) -> None:
    op.user_info = {"address": {"country": "NL", "geo": {"lat": 52.5}}, "groups": ["a", "b"]}
    wanted = ("address.country", "address.geo.lat", "groups", "address.street")
    upstream = connect(mapping={f"custom:{number}": name for number, name in enumerate(wanted)})

    assert sign_in(upstream, op.sign_in).claims == {
        "address.country": ("NL",),
        "address.geo.lat": ("52.5",),
        "groups": ("a", "b"),
    }


def test_tokens_are_claims_where_the_mapping_names_them(op: OidcOp, connect: Connect) -> None:
    upstream = connect(mapping={"custom:at": "access_token", "custom:it": "id_token"})

    claims = sign_in(upstream, op.sign_in).claims

    assert decoded(claims["id_token"][0])[1]["sub"] == op.subject
    assert claims["access_token"]
    assert "refresh_token" not in claims


def test_tokens_are_not_copied_otherwise(op: OidcOp, upstream: Upstream) -> None:
    assert not {"access_token", "id_token", "refresh_token"} & set(
        sign_in(upstream, op.sign_in).claims
    )


# -- the callback ---------------------------------------------------------------------------------


def test_a_cancelled_sign_in_is_access_denied(op: OidcOp, upstream: Upstream) -> None:
    error = refusal(
        upstream,
        lambda _: {"error": "access_denied", "error_description": "User said no", "state": STATE},
        Reason.OIDC_CANCELLED,
    )

    assert error.code is ErrorCode.ACCESS_DENIED
    assert error.public == "Corp Error - access_denied User said no"
    assert op.http.count("/token") == 0


def test_another_error_of_the_provider_is_an_invalid_request(upstream: Upstream) -> None:
    error = refusal(
        upstream,
        lambda _: {"error": "invalid_scope", "error_description": "Bad\r\n<b>scope</b>\x00 " * 99},
        Reason.OIDC_ERROR_RESPONSE,
    )

    assert error.code is ErrorCode.INVALID_REQUEST
    assert error.public.startswith("Corp Error - invalid_scope Bad <b>scope</b> Bad")
    assert len(error.public) < 250
    assert error.public.isprintable()


@pytest.mark.parametrize("params", [{}, {"state": STATE}, {"code": ""}, {"code_": "x"}])
def test_a_callback_without_a_code_is_refused(upstream: Upstream, params: dict[str, str]) -> None:
    refusal(upstream, lambda _: params, Reason.OIDC_CODE_MISSING)


def test_an_answer_of_another_issuer_is_refused(op: OidcOp, upstream: Upstream) -> None:
    refusal(
        upstream,
        lambda url: op.sign_in(url, iss="https://honest.example"),
        Reason.OIDC_RESPONSE_ISSUER,
    )

    assert op.http.count("/token") == 0


def test_an_announced_issuer_is_required(op: OidcOp, upstream: Upstream) -> None:
    op.metadata["authorization_response_iss_parameter_supported"] = True

    refusal(upstream, op.sign_in, Reason.OIDC_RESPONSE_ISSUER)

    assert op.http.count("/token") == 0
    assert sign_in(upstream, lambda url: op.sign_in(url, iss=op.issuer)).subject == op.subject


def test_an_error_response_may_leave_the_issuer_out(op: OidcOp, upstream: Upstream) -> None:
    op.metadata["authorization_response_iss_parameter_supported"] = True

    refusal(upstream, lambda _: {"error": "access_denied"}, Reason.OIDC_CANCELLED)


# -- the token endpoint ---------------------------------------------------------------------------


def test_the_token_request_is_the_standards(op: OidcOp, upstream: Upstream) -> None:
    sign_in(upstream, op.sign_in)
    asked = op.http.last("/token")

    assert (asked.method, asked.query) == ("POST", {})
    assert list(asked.form)[:5] == [
        "grant_type",
        "code",
        "client_id",
        "client_secret",
        "redirect_uri",
    ]
    assert asked.headers["user-agent"].startswith("federation-broker/")
    assert "authorization" not in asked.headers


def test_basic_where_the_provider_offers_only_that(op: OidcOp, upstream: Upstream) -> None:
    op.auth_methods = ("client_secret_basic", "private_key_jwt")

    assert sign_in(upstream, op.sign_in).subject == op.subject
    assert "client_secret" not in op.http.last("/token").form


def test_post_where_the_provider_says_nothing(op: OidcOp, upstream: Upstream) -> None:
    op.metadata["token_endpoint_auth_methods_supported"] = ABSENT

    sign_in(upstream, op.sign_in)

    assert op.http.last("/token").form["client_id"] == CLIENT_ID


def test_an_oauth_error_is_told_with_the_providers_words(op: OidcOp, upstream: Upstream) -> None:
    op.replies["/token"] = as_json(
        {
            "error": "invalid_request",
            "error_description": "The request is missing a required parameter : client_secret",
        },
        400,
    )

    error = refusal(upstream, op.sign_in, Reason.OIDC_TOKEN_REFUSED)

    assert error.code is ErrorCode.INVALID_REQUEST
    assert error.public == (
        "Corp Error - 400 invalid_request The request is missing a required parameter :"
        " client_secret"
    )


@pytest.mark.parametrize("status", [200, 302, 403, 500, 503])
def test_anything_else_is_told_by_its_status_only(
    op: OidcOp, upstream: Upstream, status: int
) -> None:
    op.replies["/token"] = html(status)

    error = refusal(upstream, op.sign_in, Reason.OIDC_TOKEN_REFUSED)

    assert error.public == f"Corp Error - {status} error getting token"
    assert "secret-detail" not in str(error)


@pytest.mark.parametrize(
    "body",
    [
        {"token_type": "Bearer", "id_token": "x"},
        {"access_token": "", "id_token": "x"},
        {"access_token": 7, "id_token": "x"},
        {"access_token": "x", "token_type": "DPoP", "id_token": "x"},
        {"access_token": "x", "token_type": "Bearer"},
        {"access_token": "x", "id_token": None},
        {"access_token": "x", "id_token": {"a": 1}},
    ],
)
def test_an_incomplete_token_answer_is_refused(
    op: OidcOp, upstream: Upstream, body: dict[str, Any]
) -> None:
    op.replies["/token"] = as_json(body)

    error = refusal(upstream, op.sign_in, Reason.OIDC_TOKEN_ANSWER)

    assert (error.code, error.public) == (ErrorCode.SERVER_ERROR, UNEXPECTED)


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"null", b'{"a":NaN}', b"\xff\xfe", b"[" * 9999])
def test_what_is_no_json_object_is_refused(op: OidcOp, upstream: Upstream, body: bytes) -> None:
    op.replies["/token"] = Reply(body=body)

    refusal(upstream, op.sign_in, Reason.OIDC_TOKEN_REFUSED)


def test_five_megabytes_are_refused(op: OidcOp, upstream: Upstream) -> None:
    op.replies["/token"] = as_json({"access_token": "x" * 5_000_000})

    error = refusal(upstream, op.sign_in, Reason.OIDC_ANSWER_INVALID)

    assert error.public == UNEXPECTED


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_token_request_is_never_redirected(op: OidcOp, upstream: Upstream, status: int) -> None:
    op.replies["/token"] = redirect(f"{op.issuer}/elsewhere", status)

    refusal(upstream, op.sign_in, Reason.OIDC_TOKEN_REFUSED)

    assert op.http.count("/elsewhere") == 0


def test_a_stalled_token_endpoint_ends_the_sign_in(
    op: OidcOp, configured: Configured, impatient: HttpClient, clock: ManualClock
) -> None:
    op.replies["/token"] = lambda _: op.http.over.wait() and None
    upstream = oidc.connector(POOL, configured(), http=impatient, clock=clock)

    error = refusal(upstream, op.sign_in, Reason.OIDC_PROVIDER_TIMEOUT)

    assert error.public == UNEXPECTED


# -- the ID token: who signs ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "alg"),
    [
        (rsa_key, "RS256"),
        (rsa_key, "RS384"),
        (rsa_key, "RS512"),
        (rsa_key, "PS256"),
        (rsa_key, "PS384"),
        (rsa_key, "PS512"),
        (ec_key, "ES256"),
        (lambda: ec_key("p384", "P-384"), "ES384"),
        (lambda: ec_key("p521", "P-521"), "ES512"),
        (ed_key, "EdDSA"),
        (ed_key, "Ed25519"),
    ],
)
def test_every_public_key_algorithm_is_verified(
    op: OidcOp, upstream: Upstream, key: Callable[[], Any], alg: str
) -> None:
    op.keys, op.header = [key()], {"alg": alg}

    assert sign_in(upstream, op.sign_in).subject == op.subject

    op.signer = lambda claims: _altered(signed(claims, key(), alg=alg))
    refusal(upstream, op.sign_in, Reason.OIDC_SIGNATURE)


def test_an_unsigned_token_is_refused(op: OidcOp, upstream: Upstream) -> None:
    op.signer = lambda claims: signed(claims, None, alg="none")

    refusal(upstream, op.sign_in, Reason.OIDC_ALGORITHM)


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "", "RS1", "A128KW", 7, None, ["RS256"]])
def test_no_other_algorithm_counts(op: OidcOp, upstream: Upstream, alg: Any) -> None:
    op.signer = lambda claims: _headed(signed(claims, rsa_key()), alg=alg)

    with pytest.raises(UpstreamError) as caught:
        sign_in(upstream, op.sign_in)
    assert caught.value.reason in {Reason.OIDC_ALGORITHM, Reason.OIDC_TOKEN_MALFORMED}


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
def test_the_public_key_is_no_hmac_secret(op: OidcOp, upstream: Upstream, alg: str) -> None:
    op.signer = lambda claims: signed(claims, rsa_key().public_pem(), alg=alg, kid="rsa-1")

    refusal(upstream, op.sign_in, Reason.OIDC_ALGORITHM)


def test_hmac_with_the_client_secret_needs_a_declaration(
    op: OidcOp, upstream: Upstream, connect: Connect
) -> None:
    secret = CLIENT_SECRET.encode()
    op.signer = lambda claims: signed(claims, secret, alg="HS256")

    refusal(upstream, op.sign_in, Reason.OIDC_ALGORITHM)

    declared = connect(extra={"id_token_signed_response_alg": "HS256"})
    assert sign_in(declared, op.sign_in).subject == op.subject


def test_declared_hmac_leaves_no_other_algorithm(op: OidcOp, connect: Connect) -> None:
    declared = connect(extra={"id_token_signed_response_alg": "HS256"})

    refusal(declared, op.sign_in, Reason.OIDC_ALGORITHM)  # RS256 by the provider's own key

    op.signer = lambda claims: signed(claims, rsa_key().public_pem(), alg="HS256")
    refusal(declared, op.sign_in, Reason.OIDC_SIGNATURE)


@pytest.mark.parametrize(
    ("extra", "secret"),
    [
        ({"id_token_signed_response_alg": "none"}, "x" * 40),
        ({"id_token_signed_response_alg": "RS1"}, "x" * 40),
    ],
)
def test_a_declared_algorithm_must_exist(
    op: OidcOp, connect: Connect, extra: dict[str, str], secret: str
) -> None:
    refusal(connect(extra=extra), op.sign_in, Reason.OIDC_NOT_CONFIGURED)


def test_a_short_secret_is_no_hmac_key(op: OidcOp, connect: Connect) -> None:
    declared = connect(client_secret="short", extra={"id_token_signed_response_alg": "HS256"})
    op.replies["/token"] = as_json(
        {"access_token": "x", "id_token": signed({}, b"short", alg="HS256")}
    )

    refusal(declared, op.sign_in, Reason.OIDC_NOT_CONFIGURED)


def test_a_declared_algorithm_excludes_the_others(op: OidcOp, connect: Connect) -> None:
    declared = connect(extra={"id_token_signed_response_alg": "ES256"})
    op.keys = [rsa_key(), ec_key()]

    refusal(declared, op.sign_in, Reason.OIDC_ALGORITHM)

    op.signer = lambda claims: signed(claims, ec_key(), alg="ES256")
    assert sign_in(declared, op.sign_in).subject == op.subject


def test_a_strangers_key_is_refused(op: OidcOp, upstream: Upstream) -> None:
    op.signer = lambda claims: signed(claims, rsa_key("stranger"), kid="rsa-1")

    refusal(upstream, op.sign_in, Reason.OIDC_SIGNATURE)


@pytest.mark.parametrize("header", ["jku", "x5u"])
def test_a_key_url_in_the_token_is_ignored(op: OidcOp, upstream: Upstream, header: str) -> None:
    op.replies["/evil"] = as_json({"keys": [rsa_key("stranger").jwk(kid="rsa-1")]})
    op.header = {header: f"{op.issuer}/evil"}
    assert sign_in(upstream, op.sign_in).subject == op.subject

    op.signer = lambda claims: signed(
        claims, rsa_key("stranger"), kid="rsa-1", **{header: f"{op.issuer}/evil"}
    )
    refusal(upstream, op.sign_in, Reason.OIDC_SIGNATURE)
    assert op.http.count("/evil") == 0


def test_a_key_in_the_token_is_ignored(op: OidcOp, upstream: Upstream) -> None:
    stranger = rsa_key("stranger")
    op.header = {"jwk": stranger.jwk()}
    assert sign_in(upstream, op.sign_in).subject == op.subject

    op.signer = lambda claims: signed(claims, stranger, kid="rsa-1", jwk=stranger.jwk())
    refusal(upstream, op.sign_in, Reason.OIDC_SIGNATURE)


@pytest.mark.parametrize("crit", [["exp"], ["b64"], [], "exp", ["urn:example:unknown"]])
def test_a_critical_extension_is_refused(op: OidcOp, upstream: Upstream, crit: Any) -> None:
    op.header = {"crit": crit, "exp": 1, "urn:example:unknown": True}

    with pytest.raises(UpstreamError) as caught:
        sign_in(upstream, op.sign_in)
    assert caught.value.reason in {Reason.OIDC_CRITICAL, Reason.OIDC_TOKEN_MALFORMED}


def test_an_unknown_header_parameter_is_ignored(op: OidcOp, upstream: Upstream) -> None:
    op.header = {"x-vendor": "yes", "x5c": ["A" * 6000]}

    assert sign_in(upstream, op.sign_in).subject == op.subject


def test_a_token_without_kid_is_verified_by_the_only_key(op: OidcOp, upstream: Upstream) -> None:
    op.header = {"kid": None}

    assert sign_in(upstream, op.sign_in).subject == op.subject


def test_a_token_without_kid_is_refused_among_several_keys(op: OidcOp, upstream: Upstream) -> None:
    op.keys, op.header = [rsa_key(), rsa_key("rsa-2")], {"kid": None}

    refusal(upstream, op.sign_in, Reason.OIDC_KID_MISSING)


def test_keys_are_rotated_without_a_failed_sign_in(op: OidcOp, upstream: Upstream) -> None:
    sign_in(upstream, op.sign_in)
    op.keys = [rsa_key("rsa-2"), rsa_key()]

    assert sign_in(upstream, op.sign_in).subject == op.subject
    assert op.http.count("/jwks") == 2


@pytest.mark.parametrize("kid", ["1", None])
def test_a_new_key_may_have_the_name_of_the_old_one_or_none(
    op: OidcOp, upstream: Upstream, kid: str | None
) -> None:
    op.header = {"kid": kid}
    op.jwks = [rsa_key().jwk(kid=kid)]
    sign_in(upstream, op.sign_in)
    op.keys, op.jwks = [rsa_key("rsa-2")], [rsa_key("rsa-2").jwk(kid=kid)]

    assert sign_in(upstream, op.sign_in).subject == op.subject
    assert sign_in(upstream, op.sign_in).subject == op.subject
    assert op.http.count("/jwks") == 2


def test_a_set_that_shrank_to_one_key_needs_no_kid(op: OidcOp, upstream: Upstream) -> None:
    op.keys = [rsa_key(), rsa_key("rsa-2")]
    sign_in(upstream, op.sign_in)
    op.keys, op.header = [rsa_key()], {"kid": None}

    assert sign_in(upstream, op.sign_in).subject == op.subject


def test_bad_signatures_cause_five_fetches_a_minute(op: OidcOp, upstream: Upstream) -> None:
    sign_in(upstream, op.sign_in)
    op.signer = lambda claims: signed(claims, rsa_key("stranger"), kid="rsa-1")
    for _ in range(20):
        refusal(upstream, op.sign_in, Reason.OIDC_SIGNATURE)

    assert op.http.count("/jwks") == 1 + 5


def test_a_key_the_provider_does_not_publish_is_refused(op: OidcOp, upstream: Upstream) -> None:
    op.header = {"kid": "unheard-of"}

    refusal(upstream, op.sign_in, Reason.OIDC_KEY_UNKNOWN)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b",
        "a.b.c",
        "....",
        "e30.e30.",
        "bm90IGpzb24.e30.x",
        "W10.e30.AA",
        "é.é.é",
        "x" * 9999,
    ],
)
def test_what_is_no_token_is_refused(op: OidcOp, upstream: Upstream, token: str) -> None:
    op.replies["/token"] = as_json({"access_token": "x", "id_token": token or "."})

    with pytest.raises(UpstreamError) as caught:
        sign_in(upstream, op.sign_in)
    assert caught.value.reason in {Reason.OIDC_TOKEN_MALFORMED, Reason.OIDC_ALGORITHM}


@pytest.mark.parametrize(
    "payload", [b"[]", b"null", b"{", b'{"sub":"\\ud800"}', b'{"exp":NaN}', b"\xff", b"[" * 5000]
)
def test_a_signed_payload_that_is_no_json_object_is_refused(
    op: OidcOp, upstream: Upstream, payload: bytes
) -> None:
    op.signer = lambda _: signed(payload, rsa_key())

    refusal(upstream, op.sign_in, Reason.OIDC_TOKEN_MALFORMED)


# -- the ID token: what it says -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claim", "value", "reason"),
    [
        ("iss", "https://other.example", Reason.OIDC_ISSUER),
        ("iss", ABSENT, Reason.OIDC_ISSUER),
        ("iss", "", Reason.OIDC_ISSUER),
        ("iss", ["x"], Reason.OIDC_ISSUER),
        ("aud", "somebody-else", Reason.OIDC_AUDIENCE),
        ("aud", ABSENT, Reason.OIDC_AUDIENCE),
        ("aud", [], Reason.OIDC_AUDIENCE),
        ("aud", ["somebody-else"], Reason.OIDC_AUDIENCE),
        ("aud", f"{CLIENT_ID} somebody-else", Reason.OIDC_AUDIENCE),
        ("aud", {CLIENT_ID: True}, Reason.OIDC_AUDIENCE),
        ("aud", [CLIENT_ID, "somebody-else"], Reason.OIDC_AUTHORIZED_PARTY),
        ("azp", "somebody-else", Reason.OIDC_AUTHORIZED_PARTY),
        ("azp", 7, Reason.OIDC_AUTHORIZED_PARTY),
        ("azp", None, Reason.OIDC_AUTHORIZED_PARTY),
        ("exp", ABSENT, Reason.OIDC_EXPIRED),
        ("exp", "4102444800", Reason.OIDC_EXPIRED),
        ("exp", True, Reason.OIDC_EXPIRED),
        ("iat", ABSENT, Reason.OIDC_ISSUED_AT),
        ("nbf", "soon", Reason.OIDC_NOT_YET_VALID),
        ("nbf", None, Reason.OIDC_NOT_YET_VALID),
        ("nonce", "of-another-sign-in", Reason.OIDC_NONCE),
        ("nonce", ABSENT, Reason.OIDC_NONCE),
        ("nonce", "", Reason.OIDC_NONCE),
        ("sub", ABSENT, Reason.OIDC_SUBJECT),
        ("sub", "", Reason.OIDC_SUBJECT),
        ("sub", 7, Reason.OIDC_SUBJECT),
        ("sub", None, Reason.OIDC_SUBJECT),
        ("sub", "a\x00b", Reason.OIDC_SUBJECT),
        ("sub", "a\nb", Reason.OIDC_SUBJECT),
    ],
)
def test_a_wrong_claim_is_refused(
    op: OidcOp, upstream: Upstream, claim: str, value: Any, reason: Reason
) -> None:
    op.claims[claim] = value

    error = refusal(upstream, op.sign_in, reason)

    assert (error.code, error.public) == (ErrorCode.SERVER_ERROR, UNEXPECTED)
    assert op.http.count("/userinfo") == 0


@pytest.mark.parametrize(
    ("claim", "offset", "reason"),
    [
        ("exp", -119, None),
        ("exp", -121, Reason.OIDC_EXPIRED),
        ("nbf", 119, None),
        ("nbf", 121, Reason.OIDC_NOT_YET_VALID),
        ("iat", 119, None),
        ("iat", 121, Reason.OIDC_ISSUED_AT),
    ],
)
def test_clocks_may_be_two_minutes_off(
    op: OidcOp, upstream: Upstream, claim: str, offset: int, reason: Reason | None
) -> None:
    op.claims[claim] = op.clock.now() + offset

    if reason is None:
        assert sign_in(upstream, op.sign_in).subject == op.subject
    else:
        refusal(upstream, op.sign_in, reason)


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": [CLIENT_ID]},
        {"aud": [CLIENT_ID], "azp": CLIENT_ID},
        {"aud": [CLIENT_ID, "another"], "azp": CLIENT_ID},
        {"azp": CLIENT_ID},
    ],
)
def test_audiences_that_are_us(op: OidcOp, upstream: Upstream, claims: dict[str, Any]) -> None:
    op.claims.update(claims)

    assert sign_in(upstream, op.sign_in).subject == op.subject


@pytest.mark.parametrize(
    ("request_", "age", "reason"),
    [
        ({"max_age": 60}, 179, None),
        ({"max_age": 60}, 181, Reason.OIDC_AUTH_TIME),
        ({"prompt": ("login",)}, 3600, Reason.OIDC_AUTH_TIME),
        ({"prompt": ("login",), "max_age": 7200}, 3600, Reason.OIDC_AUTH_TIME),
        ({}, 3600, None),
    ],
)
def test_an_old_sign_in_does_not_pass_for_a_new_one(
    op: OidcOp, upstream: Upstream, request_: dict[str, Any], age: int, reason: Reason | None
) -> None:
    op.claims["auth_time"] = op.clock.now() - age

    if reason is None:
        assert sign_in(upstream, op.sign_in, **request_).subject == op.subject
    else:
        refusal(upstream, op.sign_in, reason, **request_)


def test_an_auth_time_that_is_none_is_refused(op: OidcOp, upstream: Upstream) -> None:
    op.claims["auth_time"] = None

    refusal(upstream, op.sign_in, Reason.OIDC_AUTH_TIME, max_age=60)


def test_a_provider_that_says_no_auth_time_is_believed(op: OidcOp, upstream: Upstream) -> None:
    op.claims["auth_time"] = ABSENT

    assert sign_in(upstream, op.sign_in, max_age=1).subject == op.subject


def test_a_code_of_another_sign_in_is_refused(op: OidcOp, upstream: Upstream) -> None:
    """A code injected into this browser's callback: PKCE or the nonce catches it."""
    stolen = op.sign_in(begin(upstream)[0].url)
    refusal(upstream, lambda _: stolen, Reason.OIDC_TOKEN_REFUSED)

    op.metadata["code_challenge_methods_supported"] = ABSENT
    fresh = oidc.OidcUpstream(
        pool=POOL,
        provider=upstream.provider,  # type: ignore[attr-defined]  # of the generic connector
        http=upstream.http,  # type: ignore[attr-defined]  # of the generic connector
        clock=upstream.clock,  # type: ignore[attr-defined]  # of the generic connector
    )
    stolen = op.sign_in(begin(fresh)[0].url)
    refusal(fresh, lambda _: stolen, Reason.OIDC_NONCE)


# -- userinfo -------------------------------------------------------------------------------------


@pytest.mark.parametrize("subject", ["somebody-else", "", None, 7, ABSENT])
def test_userinfo_of_somebody_else_refuses_the_sign_in(
    op: OidcOp, upstream: Upstream, subject: Any
) -> None:
    op.user_info["sub"] = subject

    refusal(upstream, op.sign_in, Reason.OIDC_USERINFO_SUBJECT)


@pytest.mark.parametrize(
    "reply",
    [
        html(200),
        html(500),
        as_json([]),
        as_json({"error": "invalid_token"}, 401),
        redirect("http://localhost:1/other-host"),
        Reply(body=b"x" * 2_000_000),
    ],
)
def test_a_userinfo_call_that_fails_costs_its_claims_only(
    op: OidcOp, upstream: Upstream, reply: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    op.replies["/userinfo"] = reply

    identity = sign_in(upstream, op.sign_in)

    assert identity.subject == op.subject
    assert "email" not in identity.claims
    assert identity.claims["name"] == ("Jane Doe",)
    (event,) = (r for r in caplog.records if r.getMessage() == "userinfo_failed")
    assert event.provider == "Corp"
    assert "secret-detail" not in str(vars(event))


def test_a_provider_without_userinfo_endpoint(op: OidcOp, upstream: Upstream) -> None:
    op.metadata["userinfo_endpoint"] = ABSENT

    assert sign_in(upstream, op.sign_in).claims["name"] == ("Jane Doe",)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_userinfo_method_is_configured(op: OidcOp, connect: Connect, method: str) -> None:
    sign_in(connect(attributes_method=method), op.sign_in)
    asked = op.http.last("/userinfo")

    assert asked.method == method
    assert asked.headers["authorization"].startswith("Bearer ")
    assert "access_token" not in {**asked.query, **asked.form}


# -- discovery ------------------------------------------------------------------------------------


def test_named_urls_are_used_when_discovery_fails(op: OidcOp, connect: Connect) -> None:
    op.replies["/.well-known/openid-configuration"] = html(500)
    named = connect(
        authorize_url=f"{op.issuer}/authorize",
        token_url=f"{op.issuer}/token",
        attributes_url=f"{op.issuer}/userinfo",
        jwks_uri=f"{op.issuer}/jwks",
    )

    assert sign_in(named, op.sign_in).claims["email"] == ("jane@example.test",)
    assert sign_in(named, op.sign_in).subject == op.subject
    assert op.http.count("/.well-known/openid-configuration") == 1


def test_what_the_document_says_besides_named_urls_outlives_an_outage(
    op: OidcOp, connect: Connect, clock: ManualClock
) -> None:
    """How the client authenticates, that PKCE is due, and that answers name their issuer."""
    op.auth_methods = ("client_secret_basic",)
    op.metadata["authorization_response_iss_parameter_supported"] = True
    upstream = connect(
        authorize_url=f"{op.issuer}/authorize",
        token_url=f"{op.issuer}/token",
        jwks_uri=f"{op.issuer}/jwks",
    )
    sign_in(upstream, lambda url: op.sign_in(url, iss=op.issuer))
    op.replies["/.well-known/openid-configuration"] = html(503)
    clock.advance(FRESH_SECONDS)

    assert "code_challenge=" in begin(upstream)[0].url
    assert sign_in(upstream, lambda url: op.sign_in(url, iss=op.issuer)).subject == op.subject
    refusal(upstream, op.sign_in, Reason.OIDC_RESPONSE_ISSUER)


def test_named_urls_win_over_discovered_ones(op: OidcOp, connect: Connect) -> None:
    op.replies["/my-userinfo"] = as_json({"sub": op.subject, "email": "named@example.test"})

    identity = sign_in(connect(attributes_url=f"{op.issuer}/my-userinfo"), op.sign_in)

    assert identity.claims["email"] == ("named@example.test",)


@pytest.mark.parametrize("status", [200, 404, 500])
def test_a_provider_without_discovery_document_cannot_begin(
    op: OidcOp, upstream: Upstream, status: int
) -> None:
    op.replies["/.well-known/openid-configuration"] = html(status)

    with pytest.raises(UpstreamError) as caught:
        begin(upstream)

    assert caught.value.reason is Reason.OIDC_DISCOVERY
    assert caught.value.public == f"Corp Error - {status} error getting provider metadata"


def test_a_provider_that_is_back_serves_at_once(op: OidcOp, upstream: Upstream) -> None:
    op.replies["/.well-known/openid-configuration"] = html(503)
    for _ in range(9):
        with pytest.raises(UpstreamError):
            begin(upstream)

    op.replies.clear()

    assert sign_in(upstream, op.sign_in).subject == op.subject


def test_a_provider_without_issuer_is_not_configured(connect: Connect) -> None:
    with pytest.raises(UpstreamError) as caught:
        begin(connect(issuer=None))

    assert caught.value.reason is Reason.OIDC_NOT_CONFIGURED


# -- the circuit breaker --------------------------------------------------------------------------


def test_a_dead_token_endpoint_never_stops_the_browser_from_leaving(
    op: OidcOp, connect: Connect
) -> None:
    upstream = connect(token_url="http://127.0.0.1:1/token")

    for _ in range(7):
        refusal(upstream, op.sign_in, Reason.OIDC_PROVIDER_UNREACHABLE)

    assert begin(upstream)[0].url.startswith(f"{op.issuer}/authorize?")


# -- logout ---------------------------------------------------------------------------------------


def _session(logout: dict[str, str]) -> LoginSession:
    return LoginSession(
        id="s",
        pool_id=POOL.id,
        sub="u",
        username="Corp_u",
        provider="Corp",
        subject="u",
        auth_time=0,
        expires_at=1,
        logout=logout,
    )


def test_sign_out_at_the_provider(op: OidcOp, connect: Connect) -> None:
    upstream = connect(idp_signout=True)
    op.claims["sid"] = "session-7"
    kept = dict(sign_in(upstream, op.sign_in).logout)

    request = upstream.begin_logout("logout-1", _session(kept), BASE_URL)

    assert kept["sid"] == "session-7"
    assert request is not None
    assert request.url.startswith(f"{op.issuer}/end_session?")
    assert parse_qs(urlsplit(request.url).query) == {
        "id_token_hint": [kept["id_token"]],
        "client_id": [CLIENT_ID],
        "post_logout_redirect_uri": [f"{BASE_URL}/oauth2/logoutresponse"],
        "state": ["logout-1"],
    }


def test_a_very_long_id_token_is_not_kept(op: OidcOp, connect: Connect) -> None:
    upstream = connect(idp_signout=True)
    op.id_token["groups"] = ["g" * 40] * 100

    kept = dict(sign_in(upstream, op.sign_in).logout)
    request = upstream.begin_logout("logout-1", _session(kept), BASE_URL)

    assert kept == {}
    assert request is not None
    assert "id_token_hint" not in request.url


def test_no_sign_out_where_it_is_not_wanted_or_not_possible(op: OidcOp, connect: Connect) -> None:
    assert connect().begin_logout("x", _session({}), BASE_URL) is None

    op.metadata["end_session_endpoint"] = ABSENT
    assert connect(idp_signout=True).begin_logout("x", _session({}), BASE_URL) is None

    op.replies["/.well-known/openid-configuration"] = html(500)
    assert connect(idp_signout=True).begin_logout("x", _session({}), BASE_URL) is None


# -- many at once ---------------------------------------------------------------------------------


def test_the_callback_works_in_a_process_that_did_not_begin(op: OidcOp, connect: Connect) -> None:
    outgoing, transaction = begin(connect())

    callback = Callback(base_url=BASE_URL, params=op.sign_in(outgoing.url))

    assert connect().complete(callback, transaction).subject == op.subject


def _altered(token: str) -> str:
    """The token with one bit of its signature changed."""
    head, payload, signature = token.split(".")
    changed = "A" if signature[10] != "A" else "B"
    return f"{head}.{payload}.{signature[:10]}{changed}{signature[11:]}"


def _headed(token: str, **header: Any) -> str:
    """The token with members of its header changed, and the signature left as it was."""
    original, _ = decoded(token)
    return signed({}, None, **{**original, **header}).split(".")[0] + token[token.index(".") :]
