"""Honest answers rewritten after signing, in ways that canonicalization undoes, and all of them.

Readers must not care about any of this. The differential test uses the rewritings as well.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from itertools import product

from lxml import etree

from tests.kit.saml_idp import Signed
from tests.saml.attacks.benign import SIGNED, USER, HonestCase
from tests.saml.attacks.case import Scene

Rewrite = Callable[[str], str]


def _comment_everywhere(text: str) -> str:
    """Between elements, where it may stand without changing any value."""
    return re.sub(r"(</?saml:(?:Subject|Conditions|AuthnStatement)[^>]*>)", r"\1<!-- x -->", text)


def _numeric_references(text: str) -> str:
    return text.replace("alice", "&#97;&#x6c;ice")


def _quotes_and_space(text: str) -> str:
    """Single quotes and line breaks inside tags."""
    return re.sub(r' (ID|Version|Recipient)="([^"\']*)"', r"\n  \1='\2' ", text)


def _other_order(text: str) -> str:
    return re.sub(r'( ID="[^"]*")( Version="[^"]*")', r"\2\1", text)


def _long_empty_elements(text: str) -> str:
    return re.sub(r"<((?:saml|ds):\w+)((?: [^<>]*)?)/>", r"<\1\2></\1>", text)


def _unused_namespaces(text: str) -> str:
    return text.replace("<samlp:Response ", '<samlp:Response xmlns:x="urn:x" xmlns:y="urn:y" ', 1)


def _space_in_signature_value(text: str) -> str:
    """White space in base64 that no signature covers: of two, the first is the Response's."""
    return re.sub(r"(<ds:SignatureValue>.{10})", r"\1\n\t ", text, count=1)


REWRITES: dict[str, tuple[Rewrite, str]] = {
    "comments between elements": (_comment_everywhere, "utf-8"),
    "a comment in the name": (lambda t: t.replace(">alice", ">ali<!-- x -->ce"), "utf-8"),
    "CDATA": (lambda t: t.replace(f">{USER}<", f"><![CDATA[{USER}]]><"), "utf-8"),
    "numeric references": (_numeric_references, "utf-8"),
    "quotes and space": (_quotes_and_space, "utf-8"),
    "attributes in another order": (_other_order, "utf-8"),
    "end tags for empty elements": (_long_empty_elements, "utf-8"),
    "unused namespaces": (_unused_namespaces, "utf-8"),
    "space in the signature value": (_space_in_signature_value, "utf-8"),
    "an XML declaration": (lambda t: f'<?xml version="1.0" encoding="UTF-8"?>\n{t}\n', "utf-8"),
    "a byte order mark": (lambda t: t, "utf-8-sig"),
    "UTF-16": (lambda t: t, "utf-16"),
    "Windows line ends": (lambda t: t.replace("\n", "\r\n"), "utf-8"),
    "a comment and an instruction in front": (lambda t: f"<!-- x --><?y z?>{t}", "utf-8"),
}


def rewritings() -> Iterator[HonestCase]:
    for sign, (name, (rewrite, encoding)) in product(SIGNED, REWRITES.items()):

        def build(
            scene: Scene, sign: Signed = sign, rewrite: Rewrite = rewrite, encoding: str = encoding
        ) -> str:
            response = scene.idp.document(scene.request, sign=sign, name_id=USER)
            text = rewrite(etree.tostring(response, encoding="unicode"))
            return base64.b64encode(text.encode(encoding)).decode()

        yield HonestCase(name=f"{name}, {sign} signed", build=build)


def envelopes() -> Iterator[HonestCase]:
    wraps: dict[str, Rewrite] = {
        "lines of 76": lambda good: base64.encodebytes(base64.b64decode(good)).decode(),
        "Windows lines": lambda good: "\r\n".join(re.findall(".{1,64}", good)),
        "space around it": lambda good: f"\n {good}\t\n",
    }
    for sign, (name, wrap) in product(SIGNED, wraps.items()):

        def build(scene: Scene, sign: Signed = sign, wrap: Rewrite = wrap) -> str:
            return wrap(scene.idp.respond(scene.request, sign=sign, name_id=USER))

        yield HonestCase(name=f"base64 in {name}, {sign} signed", build=build)
    yield HonestCase(name="exactly 100,000 characters", build=_as_long_as_may_be)


def _as_long_as_may_be(scene: Scene) -> str:
    document = base64.b64decode(scene.idp.respond(scene.request, name_id=USER))
    return base64.b64encode(document.ljust(75_000)).decode()


REWRITTEN: tuple[HonestCase, ...] = (*rewritings(), *envelopes())
