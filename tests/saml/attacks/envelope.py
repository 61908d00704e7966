"""What is wrong before there is XML: base64 that is none, and more of it than anybody may send."""

from __future__ import annotations

import base64
from collections.abc import Callable

from broker.model.errors import Reason
from tests.saml.attacks.case import VICTIM, Cases, Category, Scene

CASES = Cases(Category.ENVELOPE)

LIMIT = 100_000


def _changed(name: str, change: Callable[[str], str]) -> None:
    """A good answer, its base64 changed in a way that lenient decoders do not mind."""

    def build(scene: Scene) -> str:
        good = scene.idp.respond(scene.request, name_id=VICTIM)
        changed = change(good)
        assert changed != good
        return changed

    CASES.add(name, "RFC 4648 3", build, Reason.SAML_RESPONSE_NOT_BASE64)


def _unpadded(good: str) -> str:
    """Without padding; a comment is appended first if there happens to be none."""
    document = base64.b64decode(good)
    while not (encoded := base64.b64encode(document).decode()).endswith("="):
        document += b"\n"
    return encoded.rstrip("=")


def _url_safe(good: str) -> str:
    """In the other alphabet; the comment makes sure that its characters occur."""
    document = base64.b64decode(good)
    while len(document) % 3:
        document += b"\n"
    return base64.urlsafe_b64encode(document + b"<!-- \xc3\xbf\xc3\xbf\xc3\xbf>>> -->").decode()


_changed("An exclamation mark in it", lambda good: f"{good[:100]}!{good[100:]}")
_changed("A zero byte in it", lambda good: f"{good[:100]}\0{good[100:]}")
_changed("A non-breaking space in it", lambda good: f"{good[:100]}\xa0{good[100:]}")
_changed("A form feed in it", lambda good: f"{good[:100]}\f{good[100:]}")
_changed("A letter of another script in it", lambda good: f"{good[:100]}\u0430{good[100:]}")
_changed("A colon in front of it", lambda good: f":{good}")
_changed("Quotation marks around it", lambda good: f'"{good}"')
_changed("Percent signs for padding", lambda good: f"{_unpadded(good)}%%")
_changed("No padding", _unpadded)
_changed("The URL-safe alphabet", _url_safe)


@CASES("quota: 100,000 characters", Reason.SAML_RESPONSE_TOO_LARGE)
def one_block_too_long(scene: Scene) -> str:
    """One block of base64 above the limit."""
    document = base64.b64decode(scene.idp.respond(scene.request, name_id=VICTIM))
    return base64.b64encode(document.ljust(LIMIT // 4 * 3 + 1)).decode()


@CASES("CVE-2025-25293", Reason.SAML_RESPONSE_TOO_LARGE)
def megabytes(scene: Scene) -> str:
    """Two megabytes."""
    document = base64.b64decode(scene.idp.respond(scene.request, name_id=VICTIM))
    return base64.b64encode(document.ljust(1_500_000)).decode()
