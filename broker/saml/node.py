"""Elements for whoever reads them again and again, as the rules do.

Every look through lxml makes a proxy, decodes the element's name and parses the one that is asked for;
together that cost as much as all rules. A ``Node`` looks once, and remembers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast, overload

from broker.saml.xml import Element, XmlError, local_name, text


class Node:
    """An element, and those below it as they were when they were first asked for.

    Verifying a signature takes it out of the tree (``signed_view``): that there was one is still known here.
    """

    __slots__ = ("_elements", "element", "tag")

    def __init__(self, element: Element) -> None:
        self.element = element
        self.tag = str(element.tag)
        self._elements: list[Node] | None = None

    @overload
    def get(self, attribute: str) -> str | None: ...
    @overload
    def get(self, attribute: str, default: str) -> str: ...
    def get(self, attribute: str, default: str | None = None) -> str | None:
        """The value of an attribute, or ``default``."""
        return self.element.get(attribute, default)

    def elements(self) -> Sequence[Node]:
        """The child elements; comments and processing instructions are not among them."""
        if self._elements is None:
            # A slice, since an iterator of lxml costs as much as several children.
            below = cast("Any", self.element)[:] if len(self.element) else ()  # none in the stubs
            self._elements = [Node(child) for child in below if isinstance(child.tag, str)]
        return self._elements

    def children(self, tag: str) -> list[Node]:
        """The direct children named ``tag``."""
        return [child for child in self.elements() if child.tag == tag]

    def only_child(self, tag: str) -> Node:
        """The one direct child named ``tag``; none and several are refused alike."""
        found = self.children(tag)
        if len(found) != 1:
            raise XmlError(f"one {tag.rpartition('}')[2]} in {self.local_name}", str(len(found)))
        return found[0]

    def text(self) -> str:
        """All text in document order. Comments never cut it short, nor belong to it."""
        return text(self.element)

    def plain_text(self) -> str:
        """The text of an element whose content is simple: child elements are refused."""
        if self.elements():
            raise XmlError(f"text in {self.local_name}", "an element")
        return text(self.element)

    @property
    def local_name(self) -> str:
        """The name without its namespace, for messages."""
        return local_name(self.element)
