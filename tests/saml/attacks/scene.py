"""The scene every case is played in: two providers, a broker's key, and what the broker expects."""

from __future__ import annotations

from functools import cache

from broker.saml.expectations import Expectations
from tests.kit.clock import ManualClock
from tests.kit.saml_document import PASSWORD
from tests.kit.saml_idp import AuthnRequest, SamlIdp
from tests.kit.saml_keys import key_pair
from tests.saml.attacks.case import AttackCase, Scene

ACS = "https://broker.example/saml2/idpresponse"
ENTITY_ID = "urn:amazon:cognito:sp:local_1"


def make_scene(*, solicited: bool = True) -> Scene:
    """A sign-in under way at a fixed time; keys are made once per process."""
    clock = ManualClock()
    return Scene(
        idp=SamlIdp(clock=clock),
        other=SamlIdp(
            clock=clock,
            entity_id="https://other.example/saml/metadata",
            url="https://other.example/saml",
            keys=(key_pair("other idp"),),
        ),
        request=AuthnRequest(id="_request" if solicited else None, acs=ACS, issuer=ENTITY_ID),
        broker=key_pair("broker"),
    )


def scene_of(case: AttackCase) -> Scene:
    return make_scene(solicited=case.solicited)


@cache
def document_of(case: AttackCase) -> str:
    """The hostile document, built once per process."""
    return case.build(scene_of(case))


def expectations(scene: Scene) -> Expectations:
    """What the broker expects of the answer to ``scene.request``: a new sign-in, by password."""
    return Expectations(
        acs_url=scene.request.acs,
        audience=scene.request.issuer,
        issuer=scene.idp.entity_id,
        keys=[pair.certificate.public_key() for pair in scene.idp.keys],
        request_id=scene.request.id,
        now=scene.idp.clock.now(),
        signed_in_since=scene.idp.clock.now(),
        authn_contexts=(PASSWORD,),
        decryption_keys=lambda: [scene.broker.private],
    )
