"""A SAML identity provider and a sample app that really sign and verify, for demo and tests."""
