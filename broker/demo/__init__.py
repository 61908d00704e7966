"""A SAML identity provider, an OpenID provider and a sample app that really sign and verify."""

from broker.demo.runner import run

__all__ = ["run"]
