"""What the broker accepts as signed, libxmlsec accepts as well; and nothing makes the broker crash.

The two share no code but libxml2's parser and canonicalizer. libxmlsec allows much that the broker
refuses, so agreement is asked for in one direction: no signature is good here and bad there.
"""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import HealthCheck, event, example, given, settings
from lxml import etree

from broker.model.errors import UpstreamError
from broker.saml.response import read_response
from tests.kit.saml_document import Markup
from tests.saml.attacks.case import ATTACKER, PREFIXES, Scene, assertion_of
from tests.saml.attacks.mutation import MUTANTS, Mutant
from tests.saml.attacks.naive_signature import libxmlsec_verifies
from tests.saml.attacks.scene import expectations, make_scene
from tests.saml.attacks.weakened import lenient

EXAMPLES = 400

# Beside the signed assertion a relative namespace: libxmlsec finds no canonical form for the document.
BESIDE = Mutant(
    sign="both",
    markup=Markup(indent=True),
    rewrite=None,
    changes=(),
    cut=(378, 5, "admin@example.com"),
)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutant=MUTANTS)
@example(mutant=BESIDE)
def test_what_the_broker_accepts_libxmlsec_accepts(mutant: Mutant) -> None:
    """And it is what the provider signed: nobody is signed in but the attacker as themselves."""
    scene = make_scene()
    document = mutant.build(scene)
    try:
        accepted = read_response(document, expectations(scene))
    except UpstreamError as refusal:
        event(str(refusal.reason))
        return
    event("accepted")
    assert accepted.name_id.value == ATTACKER
    assert all(_own_signatures_verify(lenient(document), scene))


def _own_signatures_verify(root: etree._Element, scene: Scene) -> Iterator[bool]:
    """libxmlsec's verdict on each Signature that the broker has looked at."""
    for element in (root, assertion_of(root)):
        for signature in element.findall("d:Signature", PREFIXES):
            yield libxmlsec_verifies(root, signature, scene.idp.keys)
