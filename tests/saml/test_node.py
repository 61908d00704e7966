"""Elements as the rules read them."""

from __future__ import annotations

import pytest

from broker.saml.node import Node
from broker.saml.xml import XmlError, parse


def node(document: bytes) -> Node:
    return Node(parse(document))


def test_plain_text_takes_no_elements() -> None:
    assert node(b"<a>ad<!-- c -->min</a>").plain_text() == "admin"
    with pytest.raises(XmlError, match="text in a"):
        node(b"<a>admin<b/></a>").plain_text()


def test_only_child_is_one() -> None:
    assert node(b"<a><b/><c/></a>").only_child("b").tag == "b"
    for document in (b"<a/>", b"<a><b/><b/></a>", b"<a><c><b/></c></a>"):
        with pytest.raises(XmlError, match="one b in a"):
            node(document).only_child("b")


def test_comments_and_instructions_are_no_elements() -> None:
    found = node(b"<a><!-- b --><b/><?b b?><x:b xmlns:x='urn:x'/>text<b/></a>").elements()
    assert [child.tag for child in found] == ["b", "{urn:x}b", "b"]


def test_children_have_the_very_name() -> None:
    root = node(b"<a xmlns='urn:a'><b/><b xmlns='urn:b'/><b xmlns=''/></a>")
    assert [len(root.children(tag)) for tag in ("{urn:a}b", "{urn:b}b", "b", "c")] == [1, 1, 1, 0]


def test_each_element_is_made_into_a_node_once() -> None:
    root = node(b"<a><b/></a>")
    assert root.children("b")[0] is root.elements()[0]


def test_an_attribute_is_itself_or_what_stands_in_for_it() -> None:
    element = node(b"<a b='1' c=''/>")
    assert [element.get("b"), element.get("c", "2"), element.get("d"), element.get("d", "3")] == [
        "1",
        "",
        None,
        "3",
    ]
