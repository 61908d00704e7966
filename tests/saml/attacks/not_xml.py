"""Documents that are not well-formed, and that some readers repair. Ours reads XML or nothing."""

from __future__ import annotations

import base64

from lxml import etree

from broker.model.errors import Reason
from tests.saml.attacks.case import (
    VICTIM,
    Cases,
    Category,
    Scene,
)

CASES = Cases(Category.PARSING)

COMMENTS = "CVE-2017-11427, CVE-2017-11428, CVE-2018-0489"


def _text(response: etree._Element) -> str:
    return etree.tostring(response, encoding="unicode")


def _encode(text: str, encoding: str = "utf-8") -> str:
    return base64.b64encode(text.encode(encoding)).decode()


def _broken(name: str, reference: str, old: str, new: str) -> None:
    def build(scene: Scene) -> str:
        text = _text(scene.idp.document(scene.request, name_id=VICTIM))
        assert old in text, old
        return _encode(text.replace(old, new, 1))

    CASES.add(name, reference, build, Reason.SAML_RESPONSE_NOT_XML)


_broken("An attribute twice", "XML 3.1", ' Version="2.0"', ' Version="2.0" Version="2.0"')
_broken(
    "A prefix nobody declared", "Namespaces in XML 5", "<samlp:Status>", "<samlp:Status o:x=''>"
)
_broken("An end tag that is missing", "XML 3", "</samlp:Response>", "")
_broken("A second root", "XML 2.1", "</samlp:Response>", "</samlp:Response><x/>")
_broken("Text behind the root", "XML 2.1", "</samlp:Response>", "</samlp:Response>x")
_broken("A bare ampersand", "XML 2.4", "<samlp:Status>", "<samlp:Status>&")
_broken("An undeclared entity", "XML 4.1", "<samlp:Status>", "<samlp:Status>&x;")
_broken("A character that is none", "XML 2.2", "<samlp:Status>", "<samlp:Status>&#1;")
_broken("A comment with a double hyphen", "XML 2.5", "<samlp:Status>", "<samlp:Status><!-- -- -->")


@CASES("XML 2.2", Reason.SAML_RESPONSE_NOT_XML)
def bytes_behind_a_null(scene: Scene) -> str:
    """A zero byte behind the root, where C strings end."""
    return _encode(_text(scene.idp.document(scene.request, name_id=VICTIM)) + "\0<x/>")


@CASES("XML 4.3.3", Reason.SAML_RESPONSE_NOT_XML)
def wrong_encoding(scene: Scene) -> str:
    """Bytes that are not of the encoding the document declares."""
    text = _text(scene.idp.document(scene.request, name_id=VICTIM))
    declared = f'<?xml version="1.0" encoding="utf-8"?>{text}<!-- \xe9 -->'
    return base64.b64encode(declared.encode("latin-1")).decode()
