"""One test for each thing a signature must be, over documents that are good but for that thing."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from broker.saml.algorithms import SignatureError
from broker.saml.node import Node
from broker.saml.signature import is_signed, signed_view
from broker.saml.xml import Element, XmlError, canonical, parse, text
from tests.saml import builders
from tests.saml.builders import DS, ENVELOPED, EXC, MORE, XENC, Recipe, sign

INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
DOCUMENT = '<m:Message xmlns:m="urn:m" ID="_1"><m:Name>alice</m:Name></m:Message>'


def view(xml: str, *keys: object, allow_sha1: bool = False) -> Element:
    return signed_view(parse(xml.encode()), keys, allow_sha1=allow_sha1)  # type: ignore[arg-type]  # any key, also wrong ones


def signed(recipe: Recipe = builders.RECIPE, document: str = DOCUMENT) -> str:
    return sign(document, "_1", builders.rsa_key("idp"), recipe)


@pytest.fixture
def key(idp_key: rsa.RSAPrivateKey) -> rsa.RSAPublicKey:
    return idp_key.public_key()


def test_the_view_is_the_signed_content_without_the_signature(key: rsa.RSAPublicKey) -> None:
    seen = view(signed(), key)
    assert canonical(seen) == DOCUMENT.encode()
    assert not is_signed(Node(seen))


def test_the_view_is_a_new_tree(key: rsa.RSAPublicKey) -> None:
    original = parse(f"<root>{signed()}</root>".encode())
    seen = signed_view(original[0], [key])
    assert seen.getparent() is None
    assert seen.getroottree().getroot() is seen


@pytest.mark.parametrize("size", ["sha256", "sha384", "sha512"])
def test_rsa_and_ecdsa_with_sha_2(size: str) -> None:
    digest = f"{MORE}sha384" if size == "sha384" else f"{XENC}{size}"
    rsa_recipe = Recipe(digest=digest, method=f"{MORE}rsa-{size}")
    assert view(signed(rsa_recipe), builders.rsa_key("idp").public_key())[0].text == "alice"
    for curve in (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1):
        private = builders.ec_key("idp", curve)
        document = sign(
            DOCUMENT, "_1", private, Recipe(digest=digest, method=f"{MORE}ecdsa-{size}")
        )
        assert view(document, private.public_key())[0].text == "alice"


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(method=f"{DS}rsa-sha1"),
        Recipe(digest=f"{DS}sha1"),
        Recipe(method=f"{DS}rsa-sha1", digest=f"{DS}sha1"),
    ],
)
def test_sha_1_is_for_providers_that_opt_in(recipe: Recipe, key: rsa.RSAPublicKey) -> None:
    with pytest.raises(SignatureError, match="SHA-256"):
        view(signed(recipe), key)
    assert view(signed(recipe), key, allow_sha1=True)[0].text == "alice"


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(method=f"{DS}hmac-sha1"),
        Recipe(method=f"{MORE}hmac-sha256"),
        Recipe(method=f"{MORE}rsa-md5"),
        Recipe(method=f"{DS}dsa-sha1"),
        Recipe(method="http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"),
        Recipe(method=""),
        Recipe(method="none"),
        Recipe(digest=f"{MORE}sha224"),
    ],
)
@pytest.mark.parametrize("allow_sha1", [False, True])
def test_no_other_algorithm(recipe: Recipe, key: rsa.RSAPublicKey, allow_sha1: bool) -> None:
    with pytest.raises(SignatureError, match="SHA-256"):
        view(signed(recipe), key, allow_sha1=allow_sha1)


def test_every_key_of_the_provider_is_tried(
    key: rsa.RSAPublicKey, other_key: rsa.RSAPrivateKey, ec_key: ec.EllipticCurvePrivateKey
) -> None:
    keys = (other_key.public_key(), ec_key.public_key(), key)
    assert view(signed(), *keys)[0].text == "alice"


def test_another_key_refuses(other_key: rsa.RSAPrivateKey) -> None:
    with pytest.raises(SignatureError, match="1 fitting"):
        view(signed(), other_key.public_key())


def test_no_key_refuses() -> None:
    with pytest.raises(SignatureError, match="0 fitting"):
        view(signed())


def test_a_key_is_used_as_what_it_is(
    idp_key: rsa.RSAPrivateKey, ec_key: ec.EllipticCurvePrivateKey
) -> None:
    for private, method in ((ec_key, "rsa-sha256"), (idp_key, "ecdsa-sha256")):
        document = sign(DOCUMENT, "_1", private, Recipe(method=f"{MORE}{method}"))
        with pytest.raises(SignatureError, match="0 fitting"):
            view(document, private.public_key())


def test_a_short_rsa_key_is_no_key(short_key: rsa.RSAPrivateKey) -> None:
    document = sign(DOCUMENT, "_1", short_key)
    with pytest.raises(SignatureError, match="0 fitting"):
        view(document, short_key.public_key())


def test_a_short_curve_is_no_key() -> None:
    private = builders.ec_key("idp", ec.SECP192R1)
    document = sign(DOCUMENT, "_1", private, Recipe(method=f"{MORE}ecdsa-sha256"))
    with pytest.raises(SignatureError, match="0 fitting"):
        view(document, private.public_key())


def test_the_key_in_the_message_is_ignored(
    key: rsa.RSAPublicKey, other_key: rsa.RSAPrivateKey
) -> None:
    def naming(private: rsa.RSAPrivateKey) -> Recipe:
        body = builders.certificate(private)
        return Recipe(
            key_info=f'<ds:KeyInfo xmlns:ds="{DS}"><ds:X509Data><ds:X509Certificate>{body}'
            "</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
        )

    assert view(signed(naming(other_key)), key)[0].text == "alice"
    forged = sign(DOCUMENT, "_1", other_key, naming(other_key))
    with pytest.raises(SignatureError, match="another one"):
        view(forged, key)


def test_an_ecdsa_signature_is_r_and_s_of_the_right_length(
    ec_key: ec.EllipticCurvePrivateKey,
) -> None:
    recipe = Recipe(method=f"{MORE}ecdsa-sha256", signature_value=lambda value: "AAAA" + value)
    with pytest.raises(SignatureError, match="another one"):
        view(sign(DOCUMENT, "_1", ec_key, recipe), ec_key.public_key())


def test_changed_content_refuses(key: rsa.RSAPublicKey) -> None:
    with pytest.raises(SignatureError, match="changed content"):
        view(signed().replace("alice", "admin"), key)


def test_changed_signed_info_refuses(key: rsa.RSAPublicKey) -> None:
    changed = signed().replace('URI="#_1"', 'URI="#_2"').replace('ID="_1"', 'ID="_2"')
    with pytest.raises(SignatureError, match="another one"):
        view(changed, key)


@pytest.mark.parametrize(
    "uri", ["", "#_2", "#", "_1", "#xpointer(id('_1'))", "#xpointer(/)", "file:///etc/passwd"]
)
def test_the_reference_is_to_the_parent_by_its_id(uri: str, key: rsa.RSAPublicKey) -> None:
    with pytest.raises(SignatureError, match="a reference to #_1"):
        view(signed(Recipe(uri=uri)), key)


def test_a_reference_without_uri_refuses(key: rsa.RSAPublicKey) -> None:
    recipe = Recipe(signed_info=lambda info: info.replace(' URI="#_1"', ""))
    with pytest.raises(SignatureError, match="a reference to #_1"):
        view(signed(recipe), key)


def test_a_parent_without_id_refuses(key: rsa.RSAPublicKey) -> None:
    with pytest.raises(SignatureError, match="a reference to #"):
        view(signed(Recipe(uri="#")).replace(' ID="_1"', ' ID=""'), key)


def test_one_id_at_two_elements_refuses(key: rsa.RSAPublicKey) -> None:
    document = DOCUMENT.replace("<m:Name>", '<m:Name ID="_2" Id="_1">')
    with pytest.raises(SignatureError, match="unique"):
        view(signed(document=document), key)


@pytest.mark.parametrize(
    "transforms",
    [
        (),
        (ENVELOPED,),
        (EXC,),
        (EXC, ENVELOPED),
        (ENVELOPED, EXC, EXC),
        (ENVELOPED, ENVELOPED),
        (ENVELOPED, INCLUSIVE),
        (ENVELOPED, f"{EXC}WithComments"),
        (ENVELOPED, EXC, "http://www.w3.org/TR/1999/REC-xpath-19991116"),
        (ENVELOPED, "http://www.w3.org/TR/1999/REC-xslt-19991116"),
        (f"{DS}base64", EXC),
    ],
)
def test_the_transforms_are_enveloped_and_exclusive(
    transforms: tuple[str, ...], key: rsa.RSAPublicKey
) -> None:
    with pytest.raises(SignatureError):
        view(signed(Recipe(transforms=transforms)), key)


@pytest.mark.parametrize("c14n", ["", INCLUSIVE, f"{EXC}WithComments"])
def test_signed_info_is_canonicalised_exclusively(c14n: str, key: rsa.RSAPublicKey) -> None:
    with pytest.raises(SignatureError, match="exclusive"):
        view(signed(Recipe(c14n=c14n)), key)


def test_inclusive_namespaces_are_allowed(key: rsa.RSAPublicKey) -> None:
    document = DOCUMENT.replace("<m:Name>", '<m:Name xmlns:xs="urn:xs" type="xs:string">')
    seen = view(signed(Recipe(prefixes="xs m"), document), key)
    assert seen[0].nsmap["xs"] == "urn:xs"
    assert view(signed(Recipe(prefixes="#default xs"), document), key)[0].text == "alice"


def test_prefixes_are_separated_by_xmls_white_space(key: rsa.RSAPublicKey) -> None:
    """The signer here took U+00A0 for some; other readers would look for one prefix of three letters."""
    document = DOCUMENT.replace("<m:Name>", '<m:Name xmlns:xs="urn:xs" type="xs:string">')
    assert view(signed(Recipe(prefixes="xs\n\tm"), document), key)[0].text == "alice"
    with pytest.raises(SignatureError, match="changed content"):
        view(signed(Recipe(prefixes="xs\u00a0m"), document), key)


def test_many_prefixes_refuse(key: rsa.RSAPublicKey) -> None:
    recipe = Recipe(prefixes=" ".join(f"p{i}" for i in range(33)))
    with pytest.raises(SignatureError, match="prefixes"):
        view(signed(recipe), key)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: s + s,
        lambda s: s.replace("</ds:Signature>", "<ds:Object/></ds:Signature>"),
        lambda s: s.replace("</ds:Signature>", f'<x xmlns="{DS}"/></ds:Signature>'),
        lambda s: s.replace("<ds:SignatureValue>", "<ds:SignatureValue/><ds:SignatureValue>"),
        lambda s: s.replace("</ds:SignatureValue>", "<b/></ds:SignatureValue>"),
        lambda s: s.replace("</ds:DigestValue>", "<b/></ds:DigestValue>"),
        lambda s: s.replace("</ds:Reference>", "</ds:Reference><ds:Reference/>"),
        lambda s: s.replace("<ds:DigestValue>", "<ds:DigestValue/><ds:DigestValue>"),
        lambda s: s.replace("<ds:SignatureMethod", "<ds:SignatureMethod/><ds:SignatureMethod"),
        lambda s: s.replace("ds:SignedInfo", "ds:signedinfo"),
        lambda s: "<ds:SignedInfo/>".join(s.partition("<ds:SignatureValue>")[::2]),
        lambda s: s.replace(f'xmlns:ds="{DS}"', 'xmlns:ds="urn:other"'),
    ],
)
def test_a_signature_of_another_shape_refuses(spoil: object, key: rsa.RSAPublicKey) -> None:
    with pytest.raises((SignatureError, etree.XMLSyntaxError)):
        view(signed(Recipe(signature=spoil)), key)  # type: ignore[arg-type]  # text to text


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: s.replace("</ds:Reference>", '</ds:Reference><ds:Reference URI=""/>'),
        lambda s: s.replace(
            "<ds:DigestValue>", "<ds:DigestValue>AAAA</ds:DigestValue><ds:DigestValue>"
        ),
        lambda s: s.replace("</ds:SignedInfo>", "<ds:Reference/></ds:SignedInfo>"),
        lambda s: s.replace("</ds:SignedInfo>", "<x/>" * 20 + "</ds:SignedInfo>"),
        lambda s: s.replace("<ds:Transforms>", "<ds:Transforms><!-- c -->" + "<x/>" * 20),
        lambda s: s.replace(
            f'{EXC}"/><ds:S', f'{EXC}">{"<x/>" * 20}</ds:CanonicalizationMethod><ds:S'
        ),
        lambda s: s.replace("ds:SignatureMethod", "ds:signatureMethod"),
        lambda s: s.replace("ds:CanonicalizationMethod", "ds:c14nMethod"),
        lambda s: s.replace("ds:Reference", "ds:reference"),
        lambda s: s.replace("ds:DigestMethod", "ds:digestMethod"),
        lambda s: s.replace("ds:DigestValue", "ds:digestValue"),
        lambda s: s.replace("ds:Transforms", "ds:transforms"),
        lambda s: s.replace("ds:Transform ", "ds:transform ").replace(":Transform>", ":transform>"),
    ],
)
def test_a_signed_info_of_another_shape_refuses_even_well_signed(
    spoil: object, key: rsa.RSAPublicKey
) -> None:
    with pytest.raises(SignatureError):
        view(signed(Recipe(signed_info=spoil)), key)  # type: ignore[arg-type]  # text to text


@pytest.mark.parametrize("value", ["", " ", "<!-- c -->"])
def test_an_empty_value_refuses_as_such(value: str, key: rsa.RSAPublicKey) -> None:
    """CVE-2025-66568: the digest of nothing is known to everybody."""
    for recipe in (
        Recipe(digest_value=lambda _: value),
        Recipe(signature_value=lambda _: value),
    ):
        with pytest.raises(SignatureError, match="an empty one"):
            view(signed(recipe), key)


@pytest.mark.parametrize("value", ["?", "AAA", "AAAA"])
def test_another_digest_refuses(value: str, key: rsa.RSAPublicKey) -> None:
    with pytest.raises(SignatureError):
        view(signed(Recipe(digest_value=lambda _: value)), key)


@pytest.mark.parametrize("value", ["?", "AAA", "AAAA"])
def test_another_signature_value_refuses(value: str, key: rsa.RSAPublicKey) -> None:
    with pytest.raises(SignatureError):
        view(signed(Recipe(signature_value=lambda _: value)), key)


def test_a_comment_cannot_split_the_digest(key: rsa.RSAPublicKey) -> None:
    """CVE-2025-29775: one reader took the text before the comment, the other all of it."""
    recipe = Recipe(digest_value=lambda value: f"AAAA<!--{value}-->")
    with pytest.raises(SignatureError, match="changed content"):
        view(signed(recipe), key)


def test_base64_may_be_wrapped(key: rsa.RSAPublicKey) -> None:
    def wrapped(value: str) -> str:
        return "\n" + value[:20] + "\r\n\t " + value[20:] + "\n"

    recipe = Recipe(digest_value=wrapped, signature_value=wrapped)
    assert view(signed(recipe), key)[0].text == "alice"


@pytest.mark.parametrize("space", ["\u0085", "\u00a0", "\u2003", "\u3000", "\ufeff"])
@pytest.mark.parametrize("part", ["digest_value", "signature_value"])
def test_white_space_that_is_not_xmls_is_no_base64(
    key: rsa.RSAPublicKey, part: str, space: str
) -> None:
    def spaced(value: str) -> str:
        return value[:20] + space + value[20:]

    recipe = replace(builders.RECIPE, **{part: spaced})
    with pytest.raises(SignatureError, match="base64 in"):
        view(signed(recipe), key)


def test_a_signature_elsewhere_is_not_the_elements_own(key: rsa.RSAPublicKey) -> None:
    nested = signed().replace("<ds:Signature", "<m:x><ds:Signature", 1)
    nested = nested.replace("</ds:Signature>", "</ds:Signature></m:x>")
    assert not is_signed(Node(parse(nested.encode())))
    with pytest.raises(SignatureError, match="one Signature"):
        view(nested, key)


@pytest.mark.parametrize("before", ["", "text", "<m:x/>", "<!-- c -->", "<?pi?>"])
@pytest.mark.parametrize("tail", ["tail", " \n"])
def test_text_after_the_signature_is_signed_too(
    before: str, tail: str, key: rsa.RSAPublicKey
) -> None:
    """lxml takes a node away together with the text that follows it; the transform does not."""
    document = DOCUMENT.replace("<m:Name>", f"{before}{tail}<m:Name>")
    whole = signed(document=document)
    signature = whole[whole.index("<ds:Signature") : whole.index("</ds:Signature>") + 15]
    unsigned = whole.replace(signature, "")
    moved = unsigned.replace(f"{before}{tail}<m:Name>", f"{before}{signature}{tail}<m:Name>")
    assert text(view(moved, key)).endswith(f"{tail}alice")


def test_comments_are_no_part_of_what_is_signed(key: rsa.RSAPublicKey) -> None:
    seen = view(signed().replace("alice", "al<!-- c -->ice"), key)
    assert seen[0].text == "alice"


def test_a_fault_inside_refuses(key: rsa.RSAPublicKey) -> None:
    class Broken:
        key_size = property(lambda self: 1 / 0)

    with pytest.raises(SignatureError):
        view(signed(), Broken())


SIGNED = signed()


@given(st.integers(0, len(SIGNED) - 1), st.characters(codec="ascii"))
def test_one_changed_character_never_changes_what_is_seen(position: int, character: str) -> None:
    changed = SIGNED[:position] + character + SIGNED[position + 1 :]
    with suppress(SignatureError, XmlError):
        seen = signed_view(parse(changed.encode()), [builders.rsa_key("idp").public_key()])
        assert canonical(seen) == DOCUMENT.encode()


def test_the_recipes_of_these_tests_are_good_before_they_are_spoiled(key: rsa.RSAPublicKey) -> None:
    assert view(signed(replace(builders.RECIPE)), key)[0].text == "alice"
