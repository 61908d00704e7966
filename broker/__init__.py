"""A self-hosted federation broker: the wire of Amazon Cognito's user-pool federation endpoints."""

__version__ = "0.1.0"
