"""Honest answers, spelt in every way that real providers spell them: all of these must be accepted.

A reader that refuses everything would pass the attack corpus. These are its counterweight: ways of
signing, prefixes, algorithms, ciphers, and rewritings of a signed document that canonicalization
undoes and a reader must therefore not care about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import product
from typing import Any

from lxml import etree

from tests.kit import saml_crypto
from tests.kit.saml_document import ASSERTION, PROTOCOL, Answer, Markup
from tests.kit.saml_idp import Signed, Signing, encode
from tests.kit.saml_keys import KeyPair, key_pair
from tests.saml.attacks.case import Scene, assertion_of, detached, one
from tests.saml.attacks.validity import CONFIRMATION

USER = "alice@example.com"
SIGNED: tuple[Signed, ...] = ("assertion", "response", "both")


@dataclass(frozen=True)
class Signer:
    """A key to sign with that is not the provider's first; made when a test needs it."""

    kind: str
    expired: bool = False

    @property
    def pair(self) -> KeyPair:
        return key_pair("honest", self.kind, expired=self.expired)


@dataclass(frozen=True, kw_only=True)
class HonestCase:
    """An answer that must be accepted, and the name it must be accepted for."""

    name: str
    build: Callable[[Scene], str]
    reads: str = USER
    signer: Signer | None = None

    def __str__(self) -> str:
        return self.name


def _honest(name: str, *, signer: Signer | None = None, **how: Any) -> HonestCase:
    """A case that is nothing but arguments of ``SamlIdp.respond``."""
    reads = how.setdefault("name_id", USER)
    cipher = how.pop("cipher", None)
    signed_how = how.pop("signing", {})

    def build(scene: Scene) -> str:
        signing = Signing(pair=signer.pair if signer else None, **signed_how)
        encryption = replace(scene.encryption, **cipher) if cipher else None
        return scene.idp.respond(scene.request, signing=signing, encryption=encryption, **how)

    return HonestCase(name=name, build=build, reads=reads, signer=signer)


# -- spelling, algorithms, ciphers ------------------------------------------------------------

MARKUPS = {
    "usual prefixes": Markup(),
    "no prefixes": Markup(protocol="", assertion="", signature=""),
    "other prefixes": Markup(protocol="ns0", assertion="ns1", signature="ns2"),
    "prefixes that mislead": Markup(protocol="saml", assertion="samlp", signature="xs"),
    "indented": Markup(indent=True),
    "indented without prefixes": Markup(protocol="", assertion="", indent=True),
}


def spellings() -> Iterator[HonestCase]:
    for sign, (name, markup) in product(SIGNED, MARKUPS.items()):
        yield _honest(f"{name}, {sign} signed", sign=sign, markup=markup)
        yield _honest(
            f"{name}, encrypted, {sign} signed",
            sign=sign,
            markup=markup,
            cipher={"content": "aes256-gcm"},
        )
        for kind in ("ec-256", "rsa-3072"):
            yield _honest(
                f"{name}, {kind}, {sign} signed", sign=sign, markup=markup, signer=Signer(kind)
            )


def algorithms() -> Iterator[HonestCase]:
    kinds = ("rsa-2048", "rsa-3072", "ec-256", "ec-384", "ec-521")
    hash_names = ("sha256", "sha384", "sha512")
    for sign, kind, hash_name in product(SIGNED, kinds, hash_names):
        name = f"{kind} with {hash_name}, {sign} signed"
        yield _honest(name, sign=sign, signer=Signer(kind), signing={"hash_name": hash_name})
    for digest_name in ("sha384", "sha512"):
        how = {"hash_name": "sha256", "digest_name": digest_name}
        yield _honest(f"digest {digest_name} under sha256", signing=how)
    yield _honest("a certificate that has expired", signer=Signer("rsa-2048", expired=True))


TRANSPORTS = (
    ("rsa-oaep-mgf1p", "sha1", "sha1"),
    ("rsa-oaep-mgf1p", "sha256", "sha1"),
    ("rsa-oaep", "sha1", "sha1"),
    ("rsa-oaep", "sha256", "sha1"),
    ("rsa-oaep", "sha256", "sha256"),
)


def ciphers() -> Iterator[HonestCase]:
    contents = ("aes128-cbc", "aes256-cbc", "aes128-gcm", "aes256-gcm")
    for sign, content, (transport, digest, mgf) in product(SIGNED, contents, TRANSPORTS):
        name = f"{content} by {transport} with {digest} and {mgf}, {sign} signed"
        how = {"content": content, "transport": transport, "digest": digest, "mgf": mgf}
        yield _honest(name, sign=sign, cipher=how)
    for sign in SIGNED:
        beside = {"detached_key": True}
        yield _honest(f"key beside the data, {sign} signed", sign=sign, cipher=beside)


# -- what an answer may say -------------------------------------------------------------------

NAMES = {
    "a space inside": "Alice  Example",
    "markup characters": "a<b>&\"'c",
    "accents, composed": "Andr\u00e9",
    "accents, in pieces": "Andre\u0301",
    "Chinese beyond the first plane": "\U00020bb7\u91ce\u5bb6",
    "an emoji": "alice\U0001f600",
    "right to left": "\u05d0\u05dc\u05d9\u05e1",
    "a persistent identifier": "https://idp.example!https://sp.example!Zm9vYmFy+/==",
    "a distinguished name": "CN=Alice, OU=People, O=Example",
    "512 characters": "a" * 512,
}


def names() -> Iterator[HonestCase]:
    for sign, (what, name) in product(SIGNED, NAMES.items()):
        yield _honest(f"name with {what}, {sign} signed", sign=sign, name_id=name)
        cipher = {"content": "aes128-cbc"}
        yield _honest(
            f"name with {what}, encrypted, {sign} signed", sign=sign, name_id=name, cipher=cipher
        )


def _said(name: str, change: Callable[[Answer], dict[str, Any]]) -> Iterator[HonestCase]:
    """Values of the answer replaced; ``change`` sees the good ones."""
    for sign in SIGNED:

        def build(scene: Scene, sign: Signed = sign) -> str:
            said = change(scene.idp.answer(scene.request))
            return scene.idp.respond(scene.request, sign=sign, name_id=USER, **said)

        yield HonestCase(name=f"{name}, {sign} signed", build=build)


def _instants(answer: Answer, form: str) -> dict[str, Any]:
    assert isinstance(answer.not_on_or_after, float)
    moment = datetime.fromtimestamp(answer.not_on_or_after, UTC)
    return {"not_on_or_after": moment.strftime(form)}


def values() -> Iterator[HonestCase]:
    yield from _said("no Response issuer", lambda a: {"response_issuer": None})
    yield from _said("no session index", lambda a: {"session_index": None})
    yield from _said("no end of session", lambda a: {"session_not_on_or_after": None})
    yield from _said("no name format", lambda a: {"name_id_format": None})
    yield from _said(
        "no times in Conditions", lambda a: {"not_before": None, "not_on_or_after": None}
    )
    yield from _said(
        "a minute late", lambda a: {"confirmation_not_on_or_after": a.issue_instant - 60}
    )
    yield from _said("a minute early", lambda a: {"not_before": a.issue_instant + 60})
    yield from _said("milliseconds", lambda a: _instants(a, "%Y-%m-%dT%H:%M:%S.123Z"))
    yield from _said("nanoseconds", lambda a: _instants(a, "%Y-%m-%dT%H:%M:%S.123456789Z"))
    yield from _said("a time zone", lambda a: _instants(a, "%Y-%m-%dT%H:%M:%S+00:00"))
    yield from _said(
        "several audiences", lambda a: {"audiences": ("urn:other", *a.audiences, "urn:third")}
    )
    yield from _said("attributes", lambda a: {"attributes": {"mail": ["a@b.test", "c@d.test"]}})


# -- elements an answer may have --------------------------------------------------------------


def _edited(name: str, edit: Callable[[etree._Element], Any]) -> Iterator[HonestCase]:
    for sign in SIGNED:
        yield _honest(f"{name}, {sign} signed", sign=sign, edit=edit)


def _in_conditions(markup: str) -> Callable[[etree._Element], None]:
    return lambda response: one(assertion_of(response), "s:Conditions").append(
        etree.fromstring(markup)
    )


def _advice(response: etree._Element) -> None:
    advice = etree.fromstring(
        f'<s:Advice xmlns:s="{ASSERTION}"><s:AssertionIDRef>_other</s:AssertionIDRef></s:Advice>'
    )
    one(assertion_of(response), "s:Conditions").addnext(advice)


def _extensions(response: etree._Element) -> None:
    extensions = etree.fromstring(
        f'<p:Extensions xmlns:p="{PROTOCOL}"><e:Asynchronous xmlns:e="urn:e"/></p:Extensions>'
    )
    one(response, "s:Issuer").addnext(extensions)


def _other_confirmation_first(response: etree._Element) -> None:
    confirmation = one(response, CONFIRMATION)
    other = detached(confirmation)
    one(other, "s:SubjectConfirmationData").set("Recipient", "https://other.example/acs")
    confirmation.addprevious(other)


def _space_around(path: str) -> Callable[[etree._Element], None]:
    def edit(response: etree._Element) -> None:
        element = one(response, path)
        element.text = f"\n    {element.text}\n  "

    return edit


def _typed_value(response: etree._Element) -> None:
    statement = etree.fromstring(
        f'<s:AttributeStatement xmlns:s="{ASSERTION}" xmlns:xs="http://www.w3.org/2001/XMLSchema" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><s:Attribute Name="mail">'
        '<s:AttributeValue xsi:type="xs:string">a@b.test</s:AttributeValue></s:Attribute>'
        "</s:AttributeStatement>"
    )
    assertion_of(response).append(statement)


def _strange_key_info(sign: Signed, scene: Scene) -> str:
    signing = Signing(key_info=scene.attacker)
    return scene.idp.respond(scene.request, sign=sign, signing=signing, name_id=USER)


def elements() -> Iterator[HonestCase]:
    yield from _edited("OneTimeUse", _in_conditions(f'<s:OneTimeUse xmlns:s="{ASSERTION}"/>'))
    yield from _edited(
        "ProxyRestriction", _in_conditions(f'<s:ProxyRestriction xmlns:s="{ASSERTION}" Count="0"/>')
    )
    yield from _edited("Advice without assertions", _advice)
    yield from _edited("Extensions", _extensions)
    yield from _edited("another confirmation first", _other_confirmation_first)
    yield from _edited("space around the Issuer", _space_around("s:Assertion/s:Issuer"))
    yield from _edited(
        "space around the Audience",
        _space_around("s:Assertion/s:Conditions/s:AudienceRestriction/s:Audience"),
    )
    yield from _edited("a typed attribute value", _typed_value)
    for sign, prefixes in product(SIGNED, (("xs",), ("#default", "saml", "xs"))):
        how = {"inclusive_prefixes": prefixes}
        name = f"inclusive prefixes {' '.join(prefixes)}, {sign} signed"
        yield _honest(name, sign=sign, signing=how, edit=_typed_value)
    for sign in SIGNED:
        yield HonestCase(
            name=f"somebody else's KeyInfo, {sign} signed", build=partial(_strange_key_info, sign)
        )


# -- encrypted in place -----------------------------------------------------------------------

_OUTSIDE = {
    "saml": ASSERTION,
    "xs": "http://www.w3.org/2001/XMLSchema",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
}


def _encrypted_in_place(
    signed: Signed, prefixes: tuple[str, ...], scene: Scene, left_out: Iterable[str] = _OUTSIDE
) -> str:
    """Prefixes are declared on the Response and left out of the plaintext, as libxmlsec does it."""
    declared = [f' xmlns:{prefix}="{uri}"' for prefix, uri in _OUTSIDE.items()]
    plain = scene.idp.document(scene.request, sign="none", name_id=USER, edit=_typed_value)
    document = etree.tostring(plain, encoding="unicode")
    for declaration in declared:
        document = document.replace(declaration, "")
    response = etree.fromstring(document.replace(" ", f"{''.join(declared)} ", 1))
    assertion = assertion_of(response)
    if signed != "response":
        saml_crypto.sign(assertion, scene.idp.keys[0], inclusive_prefixes=prefixes)
    plaintext = etree.tostring(assertion, encoding="unicode", with_tail=False)
    for prefix in left_out:
        plaintext = plaintext.replace(f' xmlns:{prefix}="{_OUTSIDE[prefix]}"', "")
    response.replace(assertion, scene.encryption.encrypt(plaintext.encode()))
    if signed != "assertion":
        saml_crypto.sign(response, scene.idp.keys[0], inclusive_prefixes=prefixes)
    return encode(etree.fromstring(etree.tostring(response)))


def in_place() -> Iterator[HonestCase]:
    """Where the Response's signature is the only one, it must cover what the plaintext needs."""
    for signed, prefixes in (
        ("assertion", ()),
        ("assertion", ("xs",)),
        ("both", ()),
        ("both", ("xs",)),
        ("response", tuple(_OUTSIDE)),
    ):
        listed = f", prefixes {' '.join(prefixes)}" if prefixes else ""
        yield HonestCase(
            name=f"encrypted in place, {signed} signed{listed}",
            build=partial(_encrypted_in_place, signed, prefixes),
        )
    # Nothing in the plaintext tells that it lacks this one, which stands in values alone.
    yield HonestCase(
        name="encrypted in place, assertion signed, without the one prefix that it lists",
        build=partial(_encrypted_in_place, "assertion", ("xs",), left_out=("xs",)),
    )


HONEST: tuple[HonestCase, ...] = (
    *in_place(),
    *spellings(),
    *algorithms(),
    *ciphers(),
    *names(),
    *values(),
    *elements(),
)
