"""The parser refuses what nobody needs to send, and loses nothing of what it reads."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.saml import xml

DTD = b'<!DOCTYPE a [<!ENTITY e "x">]>'


def nested(levels: int) -> bytes:
    return b"<a>" * levels + b"</a>" * levels


@pytest.mark.parametrize(
    "document",
    [
        b"<!DOCTYPE a><a/>",
        DTD + b"<a>&e;</a>",
        b'<?xml version="1.0"?>' + DTD + b"<a/>",
        b"<!-- " + b"x" * 5000 + b" -->\n<?pi?>" + DTD + b"<a/>",
        b'\xef\xbb\xbf<?xml version="1.0"?><!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        (DTD + b"<a/>").decode().encode("utf-16"),
        ('<?xml version="1.0" encoding="UTF-16"?>' + DTD.decode() + "<a/>").encode("utf-16"),
    ],
)
def test_a_dtd_refuses(document: bytes) -> None:
    with pytest.raises(xml.XmlError) as refusal:
        xml.parse(document)
    assert refusal.value.expected == "no DTD"


def test_text_that_looks_like_a_dtd_is_text() -> None:
    root = xml.parse(b"<a><![CDATA[<!DOCTYPE a>]]></a>")
    assert xml.text(root) == "<!DOCTYPE a>"


def test_utf_16_is_xml() -> None:
    assert xml.text(xml.parse("<a>grüße</a>".encode("utf-16"))) == "grüße"


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"text",
        b"<a>",
        b"<a></b>",
        b"<a/><b/>",
        b"<a>&e;</a>",
        b"<p:a/>",
        b'<a x="1" x="2"/>',
        b'<a xmlns:p="u" xmlns:q="u" p:x="1" q:x="2"/>',
        b"<a>\x00</a>",
        b"\xff\xfe\xff",
    ],
)
def test_what_is_not_well_formed_refuses(document: bytes) -> None:
    with pytest.raises(xml.XmlError):
        xml.parse(document)


def test_depth_ends_at_64() -> None:
    xml.parse(nested(64))
    with pytest.raises(xml.XmlError, match="levels"):
        xml.parse(nested(65))
    with pytest.raises(xml.XmlError, match="levels"):
        xml.parse(b"<a>" * 65 + b"<![CDATA[" + b"</" * 65 + b"]]><!-- </a> -->" + b"</a>" * 65)


def test_five_thousand_elements_are_fine_and_six_thousand_are_the_end() -> None:
    xml.parse(b"<a>" + b"<b></b>" * 5000 + b"</a>")
    with pytest.raises(xml.XmlError, match="elements"):
        xml.parse(b"<a>" + b"<b/>" * 6000 + b"</a>")


def test_attributes_of_one_element_are_bounded() -> None:
    def crowded(count: int) -> bytes:
        return b"<a><b " + b" ".join(b'x%d=""' % i for i in range(count)) + b"/></a>"

    xml.parse(crowded(128))
    with pytest.raises(xml.XmlError, match="attributes"):
        xml.parse(crowded(129))


def test_attributes_of_all_elements_are_bounded_before_they_are_read() -> None:
    """Each takes a hundred bytes of memory for five of the document; this one is not even well formed."""
    limits = replace(xml.METADATA, attributes=1000)
    xml.parse(b"<a>" + b'<b c="" d=""/>' * 500 + b"</a>", limits)
    with pytest.raises(xml.XmlError, match="at most 1000 attributes"):
        xml.parse(b"<a>" + b'<b c="" d=""/>' * 501, limits)


def test_namespace_declarations_are_bounded() -> None:
    def declaring(count: int) -> bytes:
        return b"<a " + b" ".join(b'xmlns:x%d="u"' % i for i in range(count)) + b"/>"

    xml.parse(declaring(1024))
    with pytest.raises(xml.XmlError, match="declarations"):
        xml.parse(declaring(1025))


def test_declarations_and_elements_are_bounded_together() -> None:
    def mixed(elements: int) -> bytes:
        declared = b" ".join(b'xmlns:x%d="u"' % i for i in range(500))
        return b"<a " + declared + b">" + b"<b/>" * elements + b"</a>"

    xml.parse(mixed(3999))
    with pytest.raises(xml.XmlError, match="declarations"):
        xml.parse(mixed(4000))


@pytest.mark.parametrize(
    ("declaration", "less_than"),
    [("", "<"), ('<?xml version="1.0" encoding="UTF-7"?>', "+ADw-")],
)
def test_limits_hold_in_encodings_that_hide_markup(declaration: str, less_than: str) -> None:
    encoding = "ascii" if declaration else "utf-16"
    many = "<a>" + "<b/>" * 7000 + "</a>"
    with pytest.raises(xml.XmlError, match="at most 6000 elements"):
        xml.parse((declaration + many.replace("<", less_than)).encode(encoding))
    declarations = " ".join(f'xmlns:n{number}="u:"' for number in range(1100))
    many = f"<a {declarations}/>".replace("xmlns", "xml+AG4-s" if declaration else "xmlns")
    with pytest.raises(xml.XmlError, match="fewer namespace declarations"):
        xml.parse((declaration + many.replace("<", less_than)).encode(encoding))
    deep = nested(65).decode()
    with pytest.raises(xml.XmlError, match="levels"):
        xml.parse((declaration + deep.replace("<", less_than)).encode(encoding))


def test_markup_that_no_byte_shows_is_written_anew_to_be_counted() -> None:
    """EBCDIC is for a libxml2 other than ours to read, which would say nothing of the encoding."""
    root = xml.parse(b"<a/>")
    assert xml._as_utf_8("<a></a>".encode("cp037"), root) == b"<a/>"
    for as_it_came in (b"<a/>", b"\xef\xbb\xbf<a/>", b"\n <a/>"):
        assert xml._as_utf_8(as_it_came, root) is as_it_came


def test_metadata_may_be_larger() -> None:
    xml.parse(b"<a>" + b"<b/>" * 20_000 + b"</a>", xml.METADATA)


@pytest.mark.parametrize(
    "markup",
    [
        "ad<!-- c -->min",
        "<!---->admin",
        "ad<?pi data?>min",
        "ad<![CDATA[m]]>in",
        "<b>ad</b>m<b><c>i</c>n</b>",
    ],
)
def test_text_is_all_the_text(markup: str) -> None:
    assert xml.text(xml.parse(f"<a>{markup}</a>".encode())) == "admin"


@pytest.mark.parametrize(
    "twins",
    [
        b'<a ID="x"><b ID="x"/></a>',
        b'<a ID="x"><b Id="x"/></a>',
        b'<a Id="x"><b xml:id="x"/></a>',
    ],
)
def test_ids_are_unique_over_all_spellings(twins: bytes) -> None:
    assert not xml.ids_are_unique(xml.parse(twins)[0])
    assert xml.ids_are_unique(xml.parse(twins.replace(b'"x"', b'"y"', 1)))


def test_canonical_form_drops_comments_and_what_follows() -> None:
    document = b'<r xmlns:u="urn:u" xmlns:n="urn:n">t<n:a b="2" a=\'1\'><!-- c --></n:a>tail</r>'
    root = xml.parse(document)
    assert xml.canonical(root[0]) == b'<n:a xmlns:n="urn:n" a="1" b="2"></n:a>'
    assert xml.canonical(root[0], ["u"]).startswith(b'<n:a xmlns:n="urn:n" xmlns:u="urn:u" ')


def test_a_canonical_form_that_grows_refuses() -> None:
    """A namespace is repeated at every element that uses it: 80 kB would become 200 MB."""
    long_namespace = f'<a xmlns:p="u:{"n" * 34_000}">{"<p:b/>" * 5_900}</a>'
    with pytest.raises(xml.XmlError, match="canonical form"):
        xml.canonical(xml.parse(long_namespace.encode()))


def test_what_has_no_canonical_form_refuses() -> None:
    """A relative namespace URI (C14N 1.0, 1.3): it must not become an empty one."""
    with pytest.raises(xml.XmlError, match="canonical"):
        xml.canonical(xml.parse(b'<n:a xmlns:n="1"/>'))


@pytest.mark.parametrize(
    ("document", "is_absolute"),
    [
        (b'<a><b xmlns="urn:b"/><c/></a>', True),
        (b'<a xmlns="x:y"><b xmlns=""/></a>', True),
        (b'<a><b/><c xmlns:n="http&#58;//n"/></a>', True),
        (b'<a><b/><c xmlns:n="n"/></a>', False),
        (b'<a xmlns="//n"><b/></a>', False),
        (b'<a><b/><c xmlns:n="a/b:c"/></a>', False),
        (b'<a><b/><c xmlns:n="&#110;"/></a>', False),
    ],
)
def test_namespaces_are_absolute_in_the_whole_document(document: bytes, is_absolute: bool) -> None:
    """libxml2's canonical form of the whole document exists in the same cases."""
    root = xml.parse(document)
    assert xml.namespaces_are_absolute(root[0]) is is_absolute
    try:
        xml.canonical(root)
    except xml.XmlError:
        assert not is_absolute
    else:
        assert is_absolute


@given(st.binary(max_size=300))
def test_any_bytes_are_a_tree_or_refused(data: bytes) -> None:
    for document in (data, b"<a>" + data + b"</a>"):
        with suppress(xml.XmlError):
            root = xml.parse(document)
            canonical = xml.canonical(root)
            assert xml.text(xml.parse(canonical)) == xml.text(root)


BOMB = (
    b'<!DOCTYPE a [<!ENTITY a "aaaa">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(9))
    + b"]><a>&j;</a>"
)
NAMES = b" ".join(b'xmlns:a%x="u:"' % i for i in range(900))


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (b"<a>" + b"<b/>" * 18_000 + b"</a>", "at most 6000 elements"),
        (b"<a>" * 25_000, "at most 6000 elements"),
        (b"<a " + NAMES + b">" + b"<b/>" * 5000 + b"</a>", "fewer namespace declarations"),
        (b"<!---->" * 10_000 + b"<!DOCTYPE a><a/>", "no DTD"),
        (BOMB, "no DTD"),
    ],
    ids=["elements", "depth", "namespaces", "comments in the prolog", "entities"],
)
def test_a_bomb_is_refused_before_anything_parses_it(
    document: bytes, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xml, "_tree", lambda data: pytest.fail("it was parsed"))
    with pytest.raises(xml.XmlError, match=expected):
        xml.parse(document)


def test_a_crowd_of_attributes_is_refused_before_anything_canonicalises_it() -> None:
    crowd = b"<a " + b" ".join(b'a%x=""' % i for i in range(8000)) + b"/>"
    with pytest.raises(xml.XmlError, match="at most 128 attributes"):
        xml.parse(crowd)


@given(st.text())
def test_what_is_escaped_reads_back_or_is_refused(value: str) -> None:
    """Line ends aside, which every reader of XML makes one of (XML 1.0 2.11, 3.3.3)."""
    try:
        written = xml.escaped(value)
    except xml.XmlError:
        return
    root = xml.parse(f'<a b="{written}">{written}</a>'.encode())
    assert xml.text(root) == value.replace("\r\n", "\n").replace("\r", "\n")
    assert " ".join(root.get("b", "").split()) == " ".join(value.split())


@pytest.mark.parametrize("character", ["\x00", "\x08", "\x1f", "\ud800", "\ufffe", "\uffff"])
def test_what_no_document_may_hold_is_not_written(character: str) -> None:
    with pytest.raises(xml.XmlError, match=f"U\\+{ord(character):04X}"):
        xml.escaped(f"a{character}b")


@pytest.mark.parametrize(
    "character", ["\t", "\x7f", "\x85", "\ud7ff", "\ue000", "\ufffd", "\U0010ffff"]
)
def test_what_a_document_may_hold_is_written(character: str) -> None:
    assert xml.escaped(character) == character
