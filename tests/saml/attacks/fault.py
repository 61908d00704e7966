"""Cases in which the provider signed an answer with one fault, and the edits that make the faults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lxml import etree

from broker.model.errors import Reason
from tests.kit.saml_document import Answer
from tests.saml.attacks.case import VICTIM, Cases, Scene, detached, one
from tests.saml.attacks.forge import SIGNATURE_REASON, Level

Change = Callable[[Answer], dict[str, Any]]
Edit = Callable[[etree._Element], None]


class Faults(Cases):
    """The cases of a module of faulty answers."""

    def fault(
        self,
        name: str,
        reason: Reason,
        change: Change | None = None,
        edit: Edit | None = None,
        **rest: Any,
    ) -> None:
        """A case for each level of signing: ``change`` replaces values, ``edit`` changes the tree.

        ``change`` sees the good answer; ``edit`` works on the document before it is signed.
        """
        for level in SIGNATURE_REASON:

            def build(scene: Scene, level: Level = level) -> etree._Element:
                good = scene.idp.answer(scene.request)
                said = {"name_id": VICTIM, **(change(good) if change else {})}
                return scene.idp.document(scene.request, sign=level, edit=edit, **said)

            self.add(f"{name} ({level} signed)", "SAML profiles 4.1.4", build, reason, **rest)


def remove(path: str) -> Edit:
    """Take an element out."""

    def edit(response: etree._Element) -> None:
        found = one(response, path)
        found.getparent().remove(found)

    return edit


def drop(path: str, attribute: str) -> Edit:
    """Take an attribute off."""

    def edit(response: etree._Element) -> None:
        del one(response, path).attrib[attribute]

    return edit


def second(path: str, **changes: str) -> Edit:
    """Have two of what there must be one of, the second one changed."""

    def edit(response: etree._Element) -> None:
        first = one(response, path)
        twin = detached(first)
        for attribute, value in changes.items():
            twin.set(attribute, value)
        first.addnext(twin)

    return edit
