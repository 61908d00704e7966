"""Readers as people write them: each makes one or two published mistakes, and no check of content.

They exist to prove the corpus. A hostile document that deceives none of them would be refused by
anybody and so proves nothing about the broker. None may ever be imported outside the tests.

A reader is four steps: parse, verify, find the assertion, read the name. ``READERS`` lists the
combinations; the mistake is in the name of the step.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import xmlsec
from lxml import etree

from tests.kit.saml_crypto import XENC
from tests.kit.saml_keys import KeyPair
from tests.saml.attacks.case import PREFIXES, Scene
from tests.saml.attacks.naive_signature import (
    HandMade,
    RefusedError,
    any_known_key,
    any_signature,
    first_dom_node,
    first_node,
    first_text,
    if_present,
    key_from_message,
    key_value_from_message,
    last_text,
    presence,
    trusted_certificate_somewhere,
    whole_text,
    with_comments,
)

# -- parse ------------------------------------------------------------------------------------


def lenient(encoded: str) -> etree._Element:
    """Junk in base64 is skipped, entities are expanded, DTDs are loaded, no limit holds."""
    return etree.fromstring(_decode(encoded), _PERMISSIVE)


def recovering(encoded: str) -> etree._Element:
    """Repairs what is not well-formed, as HTML readers do."""
    root = etree.fromstring(_decode(encoded), _RECOVERING)
    if root is None:
        raise RefusedError("nothing left to repair")
    return root


def inflating(encoded: str) -> etree._Element:
    """Inflates what looks deflated, without a limit."""
    return etree.fromstring(zlib.decompress(_decode(encoded), -15), _PERMISSIVE)


_PERMISSIVE = etree.XMLParser(
    resolve_entities=True, load_dtd=True, no_network=True, huge_tree=True, strip_cdata=False
)


_RECOVERING = etree.XMLParser(recover=True, huge_tree=True)


def _decode(encoded: str) -> bytes:
    known = re.sub(r"[^A-Za-z0-9+/]", "", encoded.translate(str.maketrans("-_", "+/")))
    return base64.b64decode(known + "=" * (-len(known) % 4))


# -- decrypt ----------------------------------------------------------------------------------


def decrypted(root: etree._Element, scene: Scene) -> etree._Element:
    """The document with every plaintext, whatever it is, in the place of what held it."""
    xmlsec.tree.add_ids(root, ["Id"])
    found = _encrypted_in(root)
    for data in found:
        data.attrib.pop("Type", None)  # so that libxmlsec gives bytes
        holder = data.getparent()
        above = None if holder is None else holder.getparent()
        if above is None:
            continue
        try:
            plaintext = xmlsec.EncryptionContext(_keys_manager(scene.broker)).decrypt(data)
        except xmlsec.Error:
            continue
        for element in _elements_of(plaintext, holder):
            holder.addprevious(element)
        above.remove(holder)
    # What was put in may be encrypted again.
    return root if found == _encrypted_in(root) else decrypted(root, scene)


def _encrypted_in(root: etree._Element) -> list[etree._Element]:
    return list(root.iter(f"{{{XENC}}}EncryptedData"))


def _elements_of(plaintext: bytes, holder: etree._Element) -> list[etree._Element]:
    """All elements of a plaintext, however many there are, with the prefixes of its surroundings."""
    try:
        return [etree.fromstring(plaintext, _PERMISSIVE)]
    except etree.XMLSyntaxError:
        declared = "".join(f' xmlns:{p}="{uri}"' for p, uri in holder.nsmap.items() if p)
        context = b"<context%b>%b</context>" % (declared.encode(), plaintext)
        return list(etree.fromstring(context, _RECOVERING))


@cache
def _keys_manager(pair: KeyPair) -> xmlsec.KeysManager:
    manager = xmlsec.KeysManager()
    manager.add_key(pair.xmlsec_key)
    return manager


# -- find the assertion -----------------------------------------------------------------------


def first_anywhere(root: etree._Element) -> etree._Element:
    return _take(root.xpath("//s:Assertion", namespaces=PREFIXES), 0)


def last_anywhere(root: etree._Element) -> etree._Element:
    return _take(root.xpath("//s:Assertion", namespaces=PREFIXES), -1)


def first_child(root: etree._Element) -> etree._Element:
    return _take(root.findall("s:Assertion", PREFIXES), 0)


def last_child(root: etree._Element) -> etree._Element:
    return _take(root.findall("s:Assertion", PREFIXES), -1)


def by_local_name(root: etree._Element) -> etree._Element:
    return _take(root.xpath("//*[local-name()='Assertion']"), 0)


def by_any_id_attribute(root: etree._Element) -> etree._Element:
    """What the first Reference points to, with any attribute called ID in any case."""
    uri = root.xpath("string(//d:Reference/@URI)", namespaces=PREFIXES)
    lower = "translate(local-name(), 'ID', 'id') = 'id' or local-name() = 'AssertionID'"
    return _take(root.xpath(f"//*[@*[{lower}] = $id][@*[{lower}]]", id=uri[1:]), 0)


def _take(found: list[etree._Element], which: int) -> etree._Element:
    if not found:
        raise RefusedError("no assertion")
    return found[which]


# -- find the name, and read it ----------------------------------------------------------------------------


def in_subject(assertion: etree._Element) -> etree._Element:
    return _take(assertion.findall("s:Subject/s:NameID", PREFIXES), 0)


def anything_called_name_id(assertion: etree._Element) -> etree._Element:
    return _take(assertion.xpath(".//*[local-name()='NameID']"), 0)


def in_subject_if_any(assertion: etree._Element) -> etree._Element:
    """No name is the empty name, and everybody who has none is one user."""
    found = assertion.find("s:Subject/s:NameID", PREFIXES)
    return etree.Element("nobody") if found is None else found


@dataclass(frozen=True)
class NaiveReader:
    """One way to be deceived. ``forgets`` says what it should have done."""

    forgets: str
    verify: Callable[[etree._Element, Scene], None] = any_signature
    find: Callable[[etree._Element], etree._Element] = first_anywhere
    name: Callable[[etree._Element], etree._Element] = in_subject
    text: Callable[[etree._Element], str] = whole_text
    parse: Callable[[str], etree._Element] = lenient
    decrypts_first: bool = False

    def read(self, encoded: str, scene: Scene) -> str:
        """The NameID this reader believes in; RefusedError when it believes in none."""
        try:
            root = self.parse(encoded)
            if self.decrypts_first:
                root = decrypted(root, scene)
            self.verify(root, scene)
            if not self.decrypts_first:
                root = decrypted(root, scene)
            return self.text(self.name(self.find(root)))
        except (etree.LxmlError, xmlsec.Error, zlib.error, ValueError) as error:
            raise RefusedError(str(error)) from error


_FINDERS = (first_child, last_child, first_anywhere, last_anywhere)

READERS = (
    *(
        NaiveReader(
            f"what was signed, reads {find.__name__}, decrypts {'first' if early else 'last'}",
            find=find,
            decrypts_first=early,
        )
        for find in _FINDERS
        for early in (False, True)
    ),
    *(
        NaiveReader(
            f"{forgets}, reads {find.__name__}, decrypts {'first' if early else 'last'}",
            find=find,
            verify=HandMade(target=pick),
            decrypts_first=early,
        )
        for find in (first_child, last_anywhere)
        for early in (False, True)
        for forgets, pick in (("where it is enveloped", 0), ("that an ID is unique", -1))
    ),
    NaiveReader("that a signature can be bad", verify=presence),
    NaiveReader("that no signature is no proof", verify=if_present),
    NaiveReader("namespaces", find=by_local_name, name=anything_called_name_id),
    NaiveReader("that ID has one spelling", find=by_any_id_attribute),
    NaiveReader("that comments stand between texts", text=first_text),
    NaiveReader("that text stands before comments", text=last_text),
    NaiveReader("that comments are no text", text=with_comments),
    NaiveReader("that CDATA is only a way of writing", text=first_dom_node),
    NaiveReader("that keys are not the message's to choose", verify=key_from_message),
    NaiveReader("that bare keys are not either", verify=key_value_from_message),
    NaiveReader("which certificate was trusted", verify=trusted_certificate_somewhere),
    NaiveReader("whose keys are whose", verify=any_known_key),
    NaiveReader("that encryption proves nothing", verify=if_present, decrypts_first=True),
    NaiveReader("that nobody is no user", name=in_subject_if_any),
    NaiveReader("that bad XML is no XML", parse=recovering),
    NaiveReader("that inflating needs a limit", parse=inflating),
    NaiveReader("that SignedInfo is unique (1)", verify=HandMade(info=-1)),
    NaiveReader("that SignedInfo is unique (2)", verify=HandMade(reference=-1)),
    NaiveReader("that a digest is all of its text", verify=HandMade(text=first_node)),
    NaiveReader("to verify the digest", verify=HandMade(skip_digest=True)),
    NaiveReader("to verify the value", verify=HandMade(skip_value=True)),
    NaiveReader("that nothing is no match", verify=HandMade(empty_is_fine=True)),
    NaiveReader("that canonicalization can fail", verify=HandMade(void_c14n=True)),
)
