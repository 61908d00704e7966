"""An OpenID provider, and a pool that trusts it beside its SAML provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.kit.clock import ManualClock
from tests.kit.oidc_op import OidcOp
from tests.kit.saml_idp import SamlIdp
from tests.kit.visits import Visits, oidc_provider
from tests.kit.world import WEB, World, saml_provider


@pytest.fixture
def op() -> Iterator[OidcOp]:
    with OidcOp(clock=ManualClock()) as running:
        yield running


@pytest.fixture
def contoso(new_world: Callable[..., World], op: OidcOp) -> Visits:
    """Visits at ``op``, the only provider of the pool."""
    client = {**WEB, "SupportedIdentityProviders": ["Contoso"]}
    world = new_world(clock=op.clock, clients=[client], providers=[oidc_provider(op)])
    return Visits(world=world, person=op.sign_in)


@pytest.fixture
def both(new_world: Callable[..., World], op: OidcOp) -> Visits:
    """A pool with a SAML provider ``Corp`` as well; an authorize request must name one of them."""
    assert isinstance(op.clock, ManualClock)
    client = {**WEB, "SupportedIdentityProviders": ["Corp", "Contoso"]}
    providers = [saml_provider(SamlIdp(clock=op.clock)), oidc_provider(op)]
    world = new_world(clock=op.clock, clients=[client], providers=providers)
    return Visits(world=world, person=op.sign_in)
