"""The reader of SAML Responses against libxmlsec, guided by coverage: see README.md beside it."""

from __future__ import annotations

import base64
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["broker.saml"]):
    from broker.saml.response import read_response

from lxml import etree

from broker.model.errors import UpstreamError
from tests.saml.attacks.case import ATTACKER, PREFIXES, assertion_of
from tests.saml.attacks.corpus import CORPUS
from tests.saml.attacks.naive_signature import libxmlsec_verifies
from tests.saml.attacks.scene import expectations, make_scene
from tests.saml.attacks.weakened import lenient

MOST_DECLARATIONS = 100
"""With some hundreds of them over some hundreds of elements, libxmlsec can neither sign nor verify."""

SCENE = make_scene()
EXPECTED = expectations(SCENE)


def one_document(data: bytes) -> None:
    """What the reader accepts as signed, libxmlsec accepts as signed."""
    encoded = base64.b64encode(data).decode()
    try:
        read_response(encoded, EXPECTED)
    except UpstreamError:
        return
    root = lenient(encoded)
    if etree.tostring(root).count(b"xmlns") > MOST_DECLARATIONS:
        return
    for element in (root, assertion_of(root)):
        for signature in element.findall("d:Signature", PREFIXES):
            assert libxmlsec_verifies(root, signature, SCENE.idp.keys), etree.tostring(root)


def seeds(folder: Path) -> None:
    """Hostile and honest documents to start from; keys are new in each run, so these are too."""
    folder.mkdir(parents=True, exist_ok=True)
    ways = ("assertion", "response", "both", "none")
    documents = [case.build(SCENE) for case in CORPUS]
    documents += [SCENE.idp.respond(SCENE.request, name_id=ATTACKER, sign=way) for way in ways]
    for number, encoded in enumerate(documents):
        try:
            (folder / f"seed-{number:04}").write_bytes(base64.b64decode(encoded))
        except ValueError:
            continue  # the cases that are no base64


if __name__ == "__main__":
    seeds(Path(".cache/fuzz/seeds"))
    atheris.Setup(
        [sys.argv[0], ".cache/fuzz/corpus", ".cache/fuzz/seeds", "-timeout=1",
         "-artifact_prefix=.cache/fuzz/", *sys.argv[1:]],
        one_document,
    )  # fmt: skip
    atheris.Fuzz()
