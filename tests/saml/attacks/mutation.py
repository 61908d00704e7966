"""Random documents and random changes to them, for the differential test.

Half of the changes keep the signature good (canonicalization undoes them), so that agreement is
tested on both sides of the line; the other half are what attackers do: copy, move, rename, insert.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st
from lxml import etree

from tests.kit.saml_crypto import DSIG
from tests.kit.saml_document import ASSERTION, PROTOCOL, Markup
from tests.kit.saml_idp import Signed
from tests.saml.attacks.benign import MARKUPS, SIGNED
from tests.saml.attacks.case import ATTACKER, VICTIM, Scene
from tests.saml.attacks.rewritings import REWRITES

SNIPPETS = (
    "<!-- -->",
    "<?x y?>",
    "<![CDATA[]]>",
    "&#32;",
    " ",
    "\n",
    "<x/>",
    VICTIM,
    f'<s:NameID xmlns:s="{ASSERTION}">{VICTIM}</s:NameID>',
    f'<d:Object xmlns:d="{DSIG}"/>',
    f'<d:Signature xmlns:d="{DSIG}"/>',
    f'<s:Assertion xmlns:s="{ASSERTION}" ID="_x"/>',
    f'<p:Extensions xmlns:p="{PROTOCOL}"/>',
)
BASE64 = ("SignatureValue", "DigestValue", "X509Certificate")
SPACES = (" ", "\n", "\r", "\u00a0", "\u0085", "\u2003", "\u3000")
ATTRIBUTES = ("ID", "Id", "URI", "Algorithm", "Destination", "xmlns:x", "Value", "PrefixList")
VALUES = ("", "_x", "#_x", VICTIM, "urn:x", "relative", "http://www.w3.org/2001/10/xml-exc-c14n#")

Change = Callable[[etree._Element], None]


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A genuine answer for ``ATTACKER`` and what was done to it."""

    sign: Signed
    markup: Markup
    rewrite: str | None
    changes: tuple[Change, ...]
    cut: tuple[int, int, str] | None

    def build(self, scene: Scene) -> str:
        root = scene.idp.document(
            scene.request, sign=self.sign, markup=self.markup, name_id=ATTACKER
        )
        for change in self.changes:
            change(root)
        text, encoding = etree.tostring(root, encoding="unicode"), "utf-8"
        if self.rewrite:
            rewrite, encoding = REWRITES[self.rewrite]
            text = rewrite(text)
        if self.cut:
            at, length, snippet = self.cut
            at %= len(text)
            text = text[:at] + snippet + text[at + length :]
        return base64.b64encode(text.encode(encoding)).decode()


def _element(root: etree._Element, number: int) -> etree._Element:
    """Some element below the root, or the root when there is none."""
    below = list(root.iterdescendants("*")) or [root]
    return below[number % len(below)]


def _copy(number: int, other: int, *, move: bool) -> Change:
    """Copy or move one subtree into another place."""

    def change(root: etree._Element) -> None:
        source, target = _element(root, number), _element(root, other)
        parent = source.getparent()
        if parent is None or source in target.iterancestors() or source is target:
            return
        twin = etree.fromstring(etree.tostring(source, with_tail=False))
        if move:
            parent.remove(source)
        target.insert(other % (len(target) + 1), twin)

    return change


def _insert(number: int, position: int, snippet: str) -> Change:
    def change(root: etree._Element) -> None:
        target = _element(root, number)
        for node in reversed(etree.fromstring(f"<x>{snippet}</x>")):
            target.insert(position % (len(target) + 1), node)

    return change


def _remove(number: int) -> Change:
    def change(root: etree._Element) -> None:
        target = _element(root, number)
        parent = target.getparent()
        if parent is not None:
            parent.remove(target)

    return change


def _set(number: int, attribute: str, value: str) -> Change:
    def change(root: etree._Element) -> None:
        if ":" not in attribute:
            _element(root, number).set(attribute, value)

    return change


def _say(number: int, text: str) -> Change:
    def change(root: etree._Element) -> None:
        _element(root, number).text = text

    return change


def _rename(number: int, other: int) -> Change:
    def change(root: etree._Element) -> None:
        _element(root, number).tag = _element(root, other).tag

    return change


def _space(number: int, position: int, space: str) -> Change:
    """White space of some kind into base64, where XML's own kind alone is passed over."""

    def change(root: etree._Element) -> None:
        values = [each for tag in BASE64 for each in root.iter(f"{{{DSIG}}}{tag}")]
        if values:
            value = values[number % len(values)]
            at = position % (len(value.text or "") + 1)
            value.text = f"{(value.text or '')[:at]}{space}{(value.text or '')[at:]}"

    return change


_NUMBERS = st.integers(min_value=0, max_value=200)
_CHANGES = st.one_of(
    st.builds(_copy, _NUMBERS, _NUMBERS, move=st.booleans()),
    st.builds(_insert, _NUMBERS, _NUMBERS, st.sampled_from(SNIPPETS)),
    st.builds(_remove, _NUMBERS),
    st.builds(_set, _NUMBERS, st.sampled_from(ATTRIBUTES), st.sampled_from(VALUES)),
    st.builds(_say, _NUMBERS, st.sampled_from(VALUES)),
    st.builds(_rename, _NUMBERS, _NUMBERS),
    st.builds(_space, _NUMBERS, _NUMBERS, st.sampled_from(SPACES)),
)

MUTANTS = st.builds(
    Mutant,
    sign=st.sampled_from(SIGNED),
    markup=st.sampled_from(list(MARKUPS.values())),
    rewrite=st.none() | st.sampled_from(list(REWRITES)),
    changes=st.lists(_CHANGES, max_size=3).map(tuple),
    cut=st.none()
    | st.tuples(
        st.integers(min_value=0, max_value=10_000),
        st.integers(min_value=0, max_value=40),
        st.sampled_from(SNIPPETS),
    ),
)
"""Mutants of genuine answers, some of them unchanged."""
