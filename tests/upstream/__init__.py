"""Connectors to OIDC and social providers, against doubles that lie."""
