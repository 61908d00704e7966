"""The SAML connector: what it asks, what it expects, what it hands on, and that it does so once."""

from __future__ import annotations

import zlib
from base64 import b64decode
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from cryptography import x509
from lxml import etree

from broker.model.errors import Reason, UpstreamError
from broker.model.login import (
    AuthorizationRequest,
    Callback,
    ClientRedirect,
    ExternalIdentity,
    LoginSession,
    PendingSignOut,
    Transaction,
    UpstreamRequest,
)
from broker.model.pool import IdentityProvider, OAuthSettings, ProviderType, SamlSettings, UserPool
from broker.model.tokens import CertifiedKey, PoolKeys
from broker.ports import LogoutCapable
from broker.saml.metadata import Endpoint, IdpDescriptor
from broker.saml.metadata_keys import VerificationKey
from broker.saml.signature import signed_view
from broker.saml.xml import parse
from broker.upstream.saml import SamlUpstream
from broker.upstream.saml_logout import MAX_ECHOED
from tests.kit.clock import ManualClock
from tests.kit.saml_crypto import Encryption
from tests.kit.saml_idp import verify_redirect
from tests.saml import builders
from tests.saml.builders import ACS, IDP, NOW, REQUEST, SP, Message, encoded, rsa_key, sign

BASE = "https://auth.example.com"
SSO = "https://idp.example.com/sso"
POOL = UserPool(id="eu-west-1_Example01", domains=(BASE,), issuer=f"{BASE}/eu-west-1_Example01")
REDIRECT = ClientRedirect(client_id="c", uri="https://app.example.com/cb", issuer=POOL.issuer)
ASKED = AuthorizationRequest(redirect=REDIRECT, response_type="code", scopes=("openid",))
GOOD = Message()


def certified(owner: str) -> CertifiedKey:
    key = rsa_key(owner)
    return CertifiedKey(
        private_pem=builders.pem(key), certificate_pem=builders.certificate_pem(key)
    )


POOL_CERTIFICATE = x509.load_pem_x509_certificate(certified("pool").certificate_pem)


@dataclass
class Keys:
    """A key store with one pair for everything, that counts how often it is asked."""

    asked: int = 0

    def pool_keys(self, pool: UserPool) -> PoolKeys:
        self.asked += 1
        pair = certified("pool")
        return PoolKeys(id_token=(), access_token=(), saml_signing=(pair,), saml_encryption=(pair,))

    def provider_encryption(self, pool: UserPool, provider: str) -> tuple[CertifiedKey, ...]:
        return ()


@dataclass
class Seen:
    """A replay guard that also tells what it was asked."""

    marks: list[tuple[str, str, str, float]] = field(default_factory=list)

    def first_time(self, pool_id: str, scope: str, key: str, *, until: float) -> bool:
        known = (pool_id, scope, key) in {mark[:3] for mark in self.marks}
        self.marks.append((pool_id, scope, key, until))
        return not known

    def seen(self, pool_id: str, scope: str, key: str) -> bool:
        return (pool_id, scope, key) in {mark[:3] for mark in self.marks}


@dataclass
class Descriptors:
    """Metadata that is already there: each provider signs with the key of its name."""

    sso_redirect: str | None = SSO
    sso_post: str | None = None
    slo_redirect: Endpoint | None = None
    slo_post: Endpoint | None = None
    next_key: str | None = None
    """Whose key the metadata has when it is asked for once more."""
    asked_again: int = 0

    def newer(
        self, pool_id: str, provider: IdentityProvider, seen: IdpDescriptor
    ) -> IdpDescriptor | None:
        self.asked_again += 1
        if self.next_key is None:
            return None
        key = rsa_key(self.next_key).public_key()
        return replace(seen, signing=(VerificationKey(key=key, expires_at=NOW),))

    def of(self, pool_id: str, provider: IdentityProvider) -> IdpDescriptor:
        key = rsa_key("idp" if provider.name == "Corp" else provider.name)
        return IdpDescriptor(
            entity_id=IDP,
            sso_redirect=self.sso_redirect,
            sso_post=self.sso_post,
            slo_redirect=self.slo_redirect,
            slo_post=self.slo_post,
            signing=(VerificationKey(key=key.public_key(), expires_at=NOW),),
        )


def connector(
    name: str = "Corp", metadata: Descriptors | None = None, **settings: object
) -> SamlUpstream:
    return SamlUpstream(
        pool=POOL,
        provider=IdentityProvider(
            name=name,
            type=ProviderType.SAML,
            settings=SamlSettings(metadata_xml="", **settings),  # type: ignore[arg-type]  # by name
        ),
        metadata=metadata or Descriptors(),
        keys=Keys(),
        replay=Seen(),
        clock=ManualClock(NOW),
    )


def transaction(**changes: object) -> Transaction:
    begun = Transaction(
        id="t",
        pool_id=POOL.id,
        provider="Corp",
        base_url=BASE,
        request=ASKED,
        created_at=int(NOW),
        remembered={"request_id": REQUEST},
    )
    return replace(begun, **changes)  # type: ignore[arg-type]  # names and values are the test's


def complete(
    upstream: SamlUpstream, xml: str, begun: Transaction | None = None
) -> ExternalIdentity:
    callback = Callback(base_url=BASE, params={"SAMLResponse": encoded(xml), "RelayState": "t"})
    return upstream.complete(callback, begun or transaction())


def signed(message: Message = GOOD, owner: str = "idp") -> str:
    return sign(message.response(), "_a1", rsa_key(owner))


def refuses(upstream: SamlUpstream, xml: str, begun: Transaction | None = None) -> Reason:
    with pytest.raises(UpstreamError) as refusal:
        complete(upstream, xml, begun)
    return refusal.value.reason


def message_in(url: str) -> etree._Element:
    (value,) = parse_qs(urlsplit(url).query)["SAMLRequest"]
    return etree.fromstring(zlib.decompress(b64decode(value), -15))


# begin


def test_begin_redirects_with_a_request_of_this_pool() -> None:
    request = connector().begin("transaction-id", ASKED, BASE)
    assert request.url.startswith(f"{SSO}?SAMLRequest=")
    assert request.form is None
    query = parse_qs(urlsplit(request.url).query)
    assert query["RelayState"] == ["transaction-id"]
    assert set(query) == {"SAMLRequest", "RelayState"}
    root = message_in(request.url)
    assert root.get("ID") == request.remember["request_id"]
    assert root.get("AssertionConsumerServiceURL") == ACS
    assert root[0].text == SP
    assert root.get("ForceAuthn") is None


def test_every_request_has_an_id_of_its_own() -> None:
    upstream = connector()
    ids = {upstream.begin("t", ASKED, BASE).remember["request_id"] for _ in range(5)}
    assert len(ids) == 5


def test_the_acs_is_below_the_domain_the_sign_in_began_at() -> None:
    root = message_in(connector().begin("t", ASKED, "https://other.example.com").url)
    assert root.get("AssertionConsumerServiceURL") == "https://other.example.com/saml2/idpresponse"


def test_a_request_is_signed_when_asked_to() -> None:
    url = connector(sign_requests=True).begin("t", ASKED, BASE).url
    verify_redirect(url, POOL_CERTIFICATE)


@pytest.mark.parametrize("sign_requests", [True, False])
def test_a_request_is_posted_where_nothing_else_is_taken(sign_requests: bool) -> None:
    posted = Descriptors(sso_redirect=None, sso_post=f"{SSO}/post")
    upstream = connector(metadata=posted, sign_requests=sign_requests)
    request = upstream.begin("t", ASKED, BASE)
    assert request.url == f"{SSO}/post"
    assert request.form is not None
    assert request.form["RelayState"] == "t"
    root = parse(b64decode(request.form["SAMLRequest"]))
    if sign_requests:
        root = signed_view(root, [rsa_key("pool").public_key()])
    assert (root.get("ID"), root.get("Destination")) == (
        request.remember["request_id"],
        f"{SSO}/post",
    )


@pytest.mark.parametrize(
    ("settings", "asked"),
    [
        ({"force_authn": True}, ASKED),
        ({}, replace(ASKED, prompt=("login",))),
        ({}, replace(ASKED, prompt=("consent", "login"))),
        ({}, replace(ASKED, max_age=0)),
        ({}, replace(ASKED, max_age=60)),
    ],
)
def test_the_person_is_asked_again(
    settings: dict[str, object], asked: AuthorizationRequest
) -> None:
    root = message_in(connector(**settings).begin("t", asked, BASE).url)  # type: ignore[arg-type]  # settings by name
    assert root.get("ForceAuthn") == "true"


def test_other_prompts_do_not_force() -> None:
    asked = replace(ASKED, prompt=("select_account", "consent"))
    assert message_in(connector().begin("t", asked, BASE).url).get("ForceAuthn") is None


def test_name_id_format_and_authn_context_are_passed_on() -> None:
    upstream = connector(name_id_format="urn:f", requested_authn_context="urn:c urn:d")
    xml = etree.tostring(message_in(upstream.begin("t", ASKED, BASE).url)).decode()
    assert 'Format="urn:f"' in xml
    assert ">urn:c<" in xml
    assert ">urn:d<" in xml


@pytest.mark.parametrize("binding", ["sso_redirect", "sso_post"])
@pytest.mark.parametrize("sign_requests", [True, False])
def test_a_request_that_would_be_no_xml_is_not_sent(binding: str, sign_requests: bool) -> None:
    only = {"sso_redirect": None, "sso_post": None, binding: SSO}
    upstream = connector(
        metadata=Descriptors(**only), sign_requests=sign_requests, send_login_hint=True
    )
    for hint in ("\x00", "\x0b", "\x1f", "\ufffe", "\udc80"):
        with pytest.raises(UpstreamError) as refusal:
            upstream.begin("t", replace(ASKED, login_hint=hint), BASE)
        assert refusal.value.reason == Reason.SAML_MESSAGE_TEXT


# complete


def test_an_identity_is_what_the_assertion_says() -> None:
    name_id = '<saml:NameID Format="f" NameQualifier="n" SPNameQualifier="s">alice</saml:NameID>'
    identity = complete(connector(), signed(GOOD.but(name_id=name_id)))
    assert identity.provider == "Corp"
    assert identity.subject == "alice"
    assert identity.issuer == IDP
    assert identity.claims == {"mail": ("alice@example.com",), "NameID": ("alice",)}
    assert identity.session_expires_at is None
    assert identity.logout == {
        "name_id": "alice",
        "format": "f",
        "name_qualifier": "n",
        "sp_name_qualifier": "s",
        "session_index": "_s1",
    }


def test_no_attribute_stands_in_for_the_subject() -> None:
    attributes = GOOD.attributes.replace('"mail"', '"NameID"')
    identity = complete(connector(), signed(GOOD.but(attributes=attributes)))
    assert identity.claims["NameID"] == ("alice",)


def test_the_session_ends_when_the_provider_says() -> None:
    times = f'AuthnInstant="{builders.at()}" SessionNotOnOrAfter="{builders.at(900)}"'
    end = f"<saml:AuthnStatement {times}/>"
    identity = complete(connector(), signed(GOOD.but(authn=end)))
    assert identity.session_expires_at == int(NOW) + 900
    assert identity.logout == {"name_id": "alice"}


def test_a_response_answers_the_request_of_this_transaction() -> None:
    other = transaction(remembered={"request_id": "_other"})
    assert refuses(connector(), signed(), other) == Reason.SAML_IN_RESPONSE_TO
    forgotten = transaction(remembered={})
    assert refuses(connector(), signed(), forgotten) == Reason.SAML_UNSOLICITED
    unanswered = builders.unsolicited()
    assert refuses(connector(), signed(unanswered), forgotten) == Reason.SAML_UNSOLICITED


def test_only_the_keys_of_this_provider_count() -> None:
    """IdP confusion: another provider of the pool says it is this one."""
    complete(connector("other"), signed(owner="other"))
    assert refuses(connector(), signed(owner="other")) == Reason.SAML_ASSERTION_SIGNATURE


def test_a_key_that_is_new_in_the_metadata_counts_at_once() -> None:
    """Key roll-over: the first message with the new key is refused only if nobody knows it."""
    rolled = Descriptors(next_key="idp-next")
    complete(connector(metadata=rolled), signed(owner="idp-next"))
    assert rolled.asked_again == 1
    for key in (None, "idp-next"):
        still = Descriptors(next_key=key)
        reason = refuses(connector(metadata=still), signed(owner="mallory"))
        assert (reason, still.asked_again) == (Reason.SAML_ASSERTION_SIGNATURE, 1)


def test_the_metadata_is_asked_again_because_of_a_signature_only() -> None:
    metadata = Descriptors(next_key="idp")
    upstream = connector(metadata=metadata)
    elsewhere = transaction(base_url="https://other.example.com")
    assert refuses(upstream, signed(), elsewhere) == Reason.SAML_DESTINATION
    complete(upstream, signed())
    assert refuses(upstream, signed()) == Reason.SAML_REPLAY
    assert metadata.asked_again == 0


def test_the_acs_is_that_of_the_transaction() -> None:
    elsewhere = transaction(base_url="https://other.example.com")
    assert refuses(connector(), signed(), elsewhere) == Reason.SAML_DESTINATION


def test_a_missing_response_refuses() -> None:
    for params in ({}, {"SAMLResponse": ""}):
        with pytest.raises(UpstreamError) as refusal:
            connector().complete(Callback(base_url=BASE, params=params), transaction())
        assert refusal.value.reason == Reason.PARAMETER_MISSING
        assert "samlResponse" in refusal.value.public


def test_an_assertion_is_good_once() -> None:
    upstream = connector()
    complete(upstream, signed())
    assert refuses(upstream, signed()) == Reason.SAML_REPLAY
    envelope = GOOD.but(response_id="_r2")
    assert refuses(upstream, signed(envelope)) == Reason.SAML_REPLAY
    assert upstream.replay.marks[0] == (POOL.id, "saml:Corp", "_a1", NOW + 300 + 120)  # type: ignore[attr-defined]  # the fake


def test_an_assertion_dated_to_the_end_of_time_is_remembered_for_a_year() -> None:
    """Stores keep expiry times that people live to see."""
    endless = builders.Confirmation(not_on_or_after="9999-12-31T23:59:59Z")
    upstream = connector()
    complete(upstream, signed(GOOD.but(confirmations=(endless,))))
    assert upstream.replay.marks[0][3] == NOW + 365 * 86400  # type: ignore[attr-defined]  # the fake


def test_a_refused_assertion_is_not_used_up() -> None:
    upstream = connector()
    late = transaction(remembered={"request_id": "_other"})
    refuses(upstream, signed(), late)
    assert upstream.replay.marks == []  # type: ignore[attr-defined]  # the fake
    assert complete(upstream, signed()).subject == "alice"


def test_sign_in_without_request_is_switched_on() -> None:
    begun = transaction(solicited=False, remembered={})
    xml = signed(builders.unsolicited())
    assert complete(connector(idp_init=True), xml, begun).subject == "alice"
    assert refuses(connector(), xml, begun) == Reason.SAML_UNSOLICITED


def test_a_provider_with_idp_init_still_answers_requests() -> None:
    upstream = connector(idp_init=True)
    assert complete(upstream, signed()).subject == "alice"
    unanswered = signed(builders.unsolicited().but(assertion_id="_a1"))
    assert refuses(upstream, unanswered) == Reason.SAML_IN_RESPONSE_TO


def test_a_response_to_a_request_is_not_taken_as_unsolicited() -> None:
    begun = transaction(solicited=False, remembered={})
    assert refuses(connector(idp_init=True), signed(), begun) == Reason.SAML_IN_RESPONSE_TO


def test_encryption_can_be_required() -> None:
    assert refuses(connector(encrypted_responses=True), signed()) == Reason.SAML_NOT_ENCRYPTED


def test_decryption_keys_are_looked_up_for_what_is_encrypted_alone() -> None:
    keys = Keys()
    upstream = replace(connector(), keys=keys)
    complete(upstream, signed())
    assert keys.asked == 0
    assertion = sign(Message(assertion_id="_a2").assertion(), "_a2", rsa_key("idp"))
    plain = etree.fromstring(GOOD.response(assertion))
    inside = plain.find(f"{{{builders.SAML}}}Assertion")
    encryption = Encryption(
        certificate=x509.load_pem_x509_certificate(certified("pool").certificate_pem)
    )
    plain.replace(inside, encryption.encrypt(etree.tostring(inside)))
    assert complete(upstream, etree.tostring(plain, encoding="unicode")).subject == "alice"
    assert keys.asked == 1


def test_sha_1_can_be_allowed() -> None:
    recipe = builders.Recipe(method=f"{builders.DS}rsa-sha1", digest=f"{builders.DS}sha1")
    xml = sign(GOOD.response(), "_a1", rsa_key("idp"), recipe)
    assert refuses(connector(), xml) == Reason.SAML_ASSERTION_SIGNATURE
    assert complete(connector(allow_sha1=True), xml).subject == "alice"


def test_time_is_the_clocks() -> None:
    clock = ManualClock(NOW)
    upstream = replace(connector(), clock=clock)
    clock.advance(600)
    assert refuses(upstream, signed()) == Reason.SAML_EXPIRED


def test_a_provider_of_another_type_is_a_mistake_of_ours() -> None:
    oidc = IdentityProvider(
        name="Corp", type=ProviderType.OIDC, settings=OAuthSettings(client_id="c")
    )
    with pytest.raises(TypeError, match="another type"):
        replace(connector(), provider=oidc).begin("t", ASKED, BASE)


# Logout.

SLO = Endpoint(
    location="https://idp.example.com/slo", response_location="https://idp.example.com/back"
)


def signed_in(logout: dict[str, str] | None = None) -> LoginSession:
    facts = complete(connector(), signed()).logout if logout is None else logout
    return LoginSession(
        id="s",
        pool_id=POOL.id,
        sub="sub",
        username="Corp_alice",
        provider="Corp",
        subject="alice",
        auth_time=int(NOW),
        expires_at=int(NOW) + 3600,
        logout=facts,
    )


def pending(**remembered: str) -> PendingSignOut:
    return PendingSignOut(
        id="out", pool_id=POOL.id, provider="Corp", base_url=BASE, remembered=remembered
    )


def logging_out(**endpoints: Endpoint) -> SamlUpstream:
    return connector(metadata=Descriptors(**(endpoints or {"slo_redirect": SLO})), idp_signout=True)


def envelope(kind: str, more: str, content: str) -> Callback:
    xml = (
        f'<samlp:{kind} xmlns:samlp="{builders.SAMLP}" xmlns:saml="{builders.SAML}" ID="_l1"'
        f' Version="2.0" IssueInstant="{builders.at(-5)}" Destination="{BASE}/saml2/logout"{more}>'
        f"<saml:Issuer>{IDP}</saml:Issuer>{content}</samlp:{kind}>"
    )
    field = "SAMLRequest" if kind.endswith("Request") else "SAMLResponse"
    value = encoded(sign(xml, "_l1", rsa_key("idp")))
    return Callback(base_url=BASE, params={field: value, "RelayState": "back"})


def answer_to(request_id: str, code: str = builders.SUCCESS) -> Callback:
    status = f'<samlp:Status><samlp:StatusCode Value="{code}"/></samlp:Status>'
    return envelope("LogoutResponse", f' InResponseTo="{request_id}"', status)


def test_the_connector_can_log_out() -> None:
    assert isinstance(connector(), LogoutCapable)


def test_a_logout_request_is_signed_and_names_the_session() -> None:
    request = logging_out().begin_logout("out", signed_in(), BASE)
    assert request is not None
    assert request.url.startswith(f"{SLO.location}?SAMLRequest=")
    verify_redirect(request.url, POOL_CERTIFICATE)
    assert parse_qs(urlsplit(request.url).query)["RelayState"] == ["out"]
    root = message_in(request.url)
    assert root.get("ID") == request.remember["request_id"]
    assert [child.text for child in root] == [SP, "alice", "_s1"]


def test_a_logout_request_is_posted_where_nothing_else_is_taken() -> None:
    request = logging_out(slo_post=SLO).begin_logout("out", signed_in(), BASE)
    assert request is not None
    assert request.form is not None
    assert request.url == SLO.location
    root = parse(b64decode(request.form["SAMLRequest"]))
    assert signed_view(root, [rsa_key("pool").public_key()]).get("Destination") == SLO.location


def test_a_logout_request_that_would_be_no_xml_is_not_sent() -> None:
    session = replace(signed_in(), logout={"name_id": "alice\x1f"})
    with pytest.raises(UpstreamError) as refusal:
        logging_out().begin_logout("out", session, BASE)
    assert refusal.value.reason == Reason.SAML_MESSAGE_TEXT


def test_no_logout_request_without_use() -> None:
    assert (
        connector(metadata=Descriptors(slo_redirect=SLO)).begin_logout("o", signed_in(), BASE)
        is None
    )
    assert connector(idp_signout=True).begin_logout("o", signed_in(), BASE) is None
    assert logging_out().begin_logout("o", signed_in({}), BASE) is None


def test_the_answer_belongs_to_the_request() -> None:
    logging_out().complete_logout(answer_to("_q1"), pending(request_id="_q1"))
    for waiting in (pending(request_id="_q2"), pending()):
        with pytest.raises(UpstreamError) as refusal:
            logging_out().complete_logout(answer_to("_q1"), waiting)
        assert refusal.value.reason == Reason.SAML_LOGOUT_UNEXPECTED


def test_a_partial_logout_is_an_answer_too(caplog: pytest.LogCaptureFixture) -> None:
    partial = "urn:oasis:names:tc:SAML:2.0:status:PartialLogout"
    logging_out().complete_logout(answer_to("_q1", partial), pending(request_id="_q1"))
    (event,) = (r for r in caplog.records if r.getMessage() == "provider_sign_out_partial")
    assert partial in event.status


def test_a_missing_answer_refuses() -> None:
    with pytest.raises(UpstreamError) as refusal:
        logging_out().complete_logout(Callback(base_url=BASE, params={}), pending(request_id="_q1"))
    assert refusal.value.reason == Reason.SAML_LOGOUT_MALFORMED


WISH = envelope("LogoutRequest", "", "<saml:NameID>alice</saml:NameID>")


def test_the_provider_can_end_sessions_and_is_answered() -> None:
    upstream = logging_out()
    wish = upstream.accept_logout(WISH)
    assert (wish.provider, wish.subject) == ("Corp", "alice")
    answer = upstream.answer_logout(WISH, wish)
    assert answer is not None
    assert answer.url.startswith(f"{SLO.response_location}?SAMLResponse=")
    verify_redirect(answer.url, POOL_CERTIFICATE)
    assert parse_qs(urlsplit(answer.url).query)["RelayState"] == ["back"]


def answered(upstream: SamlUpstream, wish: Callback) -> UpstreamRequest | None:
    return upstream.answer_logout(wish, upstream.accept_logout(wish))


def test_the_answer_is_posted_where_nothing_else_is_taken() -> None:
    answer = answered(logging_out(slo_post=SLO), WISH)
    assert answer is not None
    assert answer.url == SLO.response_location
    assert answer.form is not None
    root = signed_view(
        parse(b64decode(answer.form["SAMLResponse"])), [rsa_key("pool").public_key()]
    )
    assert root.get("InResponseTo") == "_l1"


def test_a_provider_without_logout_endpoint_is_not_answered() -> None:
    assert answered(connector(idp_signout=True), WISH) is None


def test_a_wish_is_used_up_by_its_answer() -> None:
    upstream = logging_out()
    assert upstream.accept_logout(WISH) == upstream.accept_logout(WISH)
    answered(upstream, WISH)
    with pytest.raises(UpstreamError) as refusal:
        upstream.accept_logout(WISH)
    assert refusal.value.reason == Reason.SAML_REPLAY


def test_of_two_deliveries_one_is_answered() -> None:
    upstream = logging_out()
    wish = upstream.accept_logout(WISH)
    upstream.answer_logout(WISH, wish)
    with pytest.raises(UpstreamError) as refusal:
        upstream.answer_logout(WISH, wish)
    assert refusal.value.reason == Reason.SAML_REPLAY


@pytest.mark.parametrize(
    ("relay_state", "echoed"),
    [
        ("b" * 80, "b" * 80),
        ("b" * MAX_ECHOED, "b" * MAX_ECHOED),
        ("b" * (MAX_ECHOED + 1), None),
        ("é" * (MAX_ECHOED // 2 + 1), None),
        ("\udcff", None),
        ("", None),
    ],
    ids=["short", "longest", "longer", "longer in bytes", "no text", "none"],
)
@pytest.mark.parametrize("endpoint", ["slo_redirect", "slo_post"])
def test_relay_state_goes_back_as_it_came_or_not_at_all(
    endpoint: str, relay_state: str, echoed: str | None
) -> None:
    wish = replace(WISH, params={**WISH.params, "RelayState": relay_state})
    answer = answered(logging_out(**{endpoint: SLO}), wish)
    assert answer is not None
    query = dict(parse_qsl(urlsplit(answer.url).query))
    assert (answer.form or query).get("RelayState") == echoed
    assert "RelayState" in (answer.form or query) or echoed is None
