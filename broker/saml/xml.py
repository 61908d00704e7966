"""The one XML parser, exclusive canonicalisation, and the names SAML speaks in.

Owns what may be parsed at all: no DTD, no entities, no network, bounded depth, elements,
attributes and namespace declarations. Nothing else in the broker turns bytes into a tree, so
there is no second parser that could see another document. What a tree means is left to the
other modules of this package.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, cast

from lxml import etree

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

Element = etree._Element  # noqa: SLF001  # lxml's documented element class has no public name

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
MD = "urn:oasis:names:tc:SAML:2.0:metadata"
MDUI = "urn:oasis:names:tc:SAML:metadata:ui"
DS = "http://www.w3.org/2000/09/xmldsig#"
XENC = "http://www.w3.org/2001/04/xmlenc#"
XENC11 = "http://www.w3.org/2009/xmlenc11#"
EXC_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
XSI = "http://www.w3.org/2001/XMLSchema-instance"

MAX_DEPTH = 64
MAX_ATTRIBUTES = 128
"""Of one element. libxml2 sorts attributes by insertion, so c14n costs their number squared."""

MAX_CANONICAL_BYTES = 1 << 20
"""Well above what an honest message of 100,000 characters of base64 grows to."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much document is read. ``attributes`` counts equals signs, wherever they stand. ``lookups``
    bounds the product of elements and namespace declarations, since c14n may look at every declaration
    in scope for every element."""

    elements: int
    attributes: int
    declarations: int
    lookups: int


MESSAGE = Limits(elements=6_000, attributes=100_000, declarations=1_024, lookups=2_000_000)
"""Above anything that 100,000 characters of base64 can hold and still mean something."""

METADATA = Limits(
    elements=500_000, attributes=2_000_000, declarations=100_000, lookups=1_000_000_000
)
"""Metadata comes from the administrator, and may be the aggregate of a federation."""


class RefusedError(Exception):
    """A document that breaks a rule: what the rule expects, what stood there. Fit for the log."""

    def __init__(self, expected: str, received: str) -> None:
        super().__init__(f"expected {expected}, received {received}")
        self.expected = expected
        self.received = received


class XmlError(RefusedError):
    """Bytes that are no XML document, or one that nobody needs to send."""


def parse(data: bytes, limits: Limits = MESSAGE) -> Element:
    """The root of ``data``. Cheap checks on the bytes come first, exact ones on the tree after."""
    _begins_without_dtd(data)
    opened = _opened_within(limits, data)
    root = _tree(data)
    _has_no_dtd(root)
    markup = _as_utf_8(data, root)
    if markup is not data:
        opened = _opened_within(limits, markup)
    _is_shallow(root, opened)
    _has_few_attributes(root, markup)
    return _alone(root)


def reparse(canonical_form: bytes) -> Element:
    """The root of what ``canonical`` wrote. No limits: they were kept by the tree it was written
    from, and a canonical form repeats a namespace declaration wherever it is used."""
    return _tree(canonical_form)


def canonical(element: Element, inclusive_prefixes: Sequence[str] = ()) -> bytes:
    """Exclusive XML Canonicalization 1.0 without comments, of ``element`` and all below it."""
    output = _BoundedOutput()
    try:
        etree.ElementTree(element).write_c14n(  # type: ignore[call-arg]  # lxml-stubs lags behind
            output,
            exclusive=True,
            with_comments=False,
            inclusive_ns_prefixes=list(inclusive_prefixes),
        )
    except etree.C14NError as fault:
        raise XmlError("a canonical form", "none (a relative namespace URI?)") from fault
    data = output.getvalue()
    # An empty output would have a well-known digest, whatever the document says.
    if not data.startswith(b"<"):
        raise XmlError("a canonical form", "nothing")
    return data


class _BoundedOutput(BytesIO):
    """Stops a canonical form that grows: it repeats a namespace, however long, at every element
    that uses it, and so can make hundreds of megabytes out of a hundred kilobytes."""

    def write(self, data: ReadableBuffer, /) -> int:
        written = super().write(data)
        if self.tell() > MAX_CANONICAL_BYTES:
            raise XmlError(f"at most {MAX_CANONICAL_BYTES} bytes of canonical form", "more")
        return written


def serialized(element: Element) -> bytes:
    """The element alone, with every namespace declaration in scope."""
    return etree.tostring(element, with_tail=False)


def escaped(value: str) -> str:
    """``value`` as text or as the value of an attribute, in an XML document of ours.

    Raises ``XmlError`` for what no document may hold, however it is written (XML 1.0 2.2).
    """
    if found := _NO_CHARACTER.search(value):
        raise XmlError("characters of XML", f"U+{ord(found.group()):04X}")
    return escape(value)


def name(namespace: str, local: str) -> str:
    """The tag as lxml writes it."""
    return f"{{{namespace}}}{local}"


def text(element: Element) -> str:
    """All text of an element in document order. Comments never cut it short, nor belong to it."""
    if not len(element):
        return element.text or ""
    return "".join(cast(Iterable[str], element.itertext()))


def words(value: str) -> list[str]:
    """What stands between white space as XML knows it (XML 2.3). ``str.split`` knows more, such as
    U+00A0, which other readers of the document take for characters."""
    return _WORD.findall(value)


def local_name(element: Element) -> str:
    """The name without its namespace, for messages."""
    return str(element.tag).rpartition("}")[2]


def ids_are_unique(element: Element) -> bool:
    """Whether no two elements of the whole document share an ID (xs:ID, XML Signature 4.4.3.2).

    One walk that ends at the first twin. XPath would sort what it unites, in quadratic time. Comments
    and processing instructions are met as well, and have no attributes.
    """
    seen: set[object] = set()
    for each in element.getroottree().iter():
        for attribute, value in each.items():
            if attribute not in _IDS:
                continue
            if value in seen:
                return False
            seen.add(value)
    return True


def namespaces_are_absolute(element: Element) -> bool:
    """Whether no namespace of the whole document is a relative URI: one that has such has no canonical
    form (Canonical XML 1.0 1.3). libxml2 looks at what is in the scope of the element alone."""
    root = element.getroottree().getroot()
    for _, (_, uri) in etree.iterwalk(root, events=("start-ns",)):
        if uri and not _ABSOLUTE.match(uri):
            return False
    return True


_PARSER = etree.XMLParser(
    resolve_entities=False,
    load_dtd=False,
    dtd_validation=False,
    attribute_defaults=False,
    no_network=True,
    huge_tree=False,
    recover=False,
    remove_comments=False,
    remove_pis=False,
    remove_blank_text=False,
    collect_ids=False,
)

# Possessive, so that a prolog of many comments is scanned once.
_DTD = re.compile(rb"(?>[\s\xef\xbb\xbf]+|<\?.*?\?>|<!--.*?-->)*+<!DOCTYPE", re.DOTALL)

_NO_CHARACTER = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
"""RFC 3986 3.1."""
_WORD = re.compile(r"[^ \t\r\n]+")
_IDS = ("ID", "Id", "{http://www.w3.org/XML/1998/namespace}id")
_TOO_DEEP = etree.XPath(f"boolean({'/*' * (MAX_DEPTH + 1)})")
_CROWDED = etree.XPath(f"boolean(//*[count(@*) > {MAX_ATTRIBUTES}])")


def _begins_without_dtd(data: bytes) -> None:
    """A DTD is refused before the parser would read it: entities expand while parsing."""
    if _DTD.match(data):
        raise XmlError("no DTD", "a DTD")


def _opened_within(limits: Limits, data: bytes) -> int:
    """How many tags are opened in ``data``, or more: every one has a ``<`` without a ``/`` behind it, and
    whatever else has one (comments, CDATA) takes none of them away."""
    opened = data.count(b"<") - data.count(b"</")
    if opened > limits.elements:
        raise XmlError(f"at most {limits.elements} elements", str(opened))
    if data.count(b"=") > limits.attributes:
        raise XmlError(f"at most {limits.attributes} attributes", "more")
    declared = data.count(b"xmlns")
    if declared > limits.declarations or opened * declared > limits.lookups:
        raise XmlError("fewer namespace declarations", f"{declared} over {opened} elements")
    return opened


def _tree(data: bytes) -> Element:
    try:
        return etree.fromstring(data, _PARSER)
    except (etree.XMLSyntaxError, ValueError, AssertionError) as fault:
        raise XmlError("a well-formed XML document", str(fault)[:120]) from fault


def _alone(root: Element) -> Element:
    """Comments and instructions beside the root are dropped: lxml writes them into its c14n."""
    if root.getprevious() is None and root.getnext() is None:
        return root
    return _tree(serialized(root))


def _as_utf_8(data: bytes, root: Element) -> bytes:
    """The document in bytes that can be counted: UTF-16 and UTF-7 hide markup."""
    declared = root.getroottree().docinfo.encoding or "UTF-8"
    starts = data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")  # it does not in EBCDIC
    if b"\0" in data or not starts or declared.upper() != "UTF-8":
        return etree.tostring(root, encoding="UTF-8")
    return data


def _has_no_dtd(root: Element) -> None:
    """The same rule for encodings in which the bytes of a DTD look otherwise (UTF-16)."""
    if root.getroottree().docinfo.internalDTD is not None:
        raise XmlError("no DTD", "a DTD")


def _is_shallow(root: Element, opened: int) -> None:
    """A document has no more levels than elements. Most messages have not even as many, and are not
    searched."""
    if opened > MAX_DEPTH and _TOO_DEEP(root):
        raise XmlError(f"at most {MAX_DEPTH} levels", "more")


def _has_few_attributes(root: Element, markup: bytes) -> None:
    """Most messages have not even as many equals signs, and are not searched."""
    if markup.count(b"=") > MAX_ATTRIBUTES and _CROWDED(root):
        raise XmlError(f"at most {MAX_ATTRIBUTES} attributes of an element", "more")
