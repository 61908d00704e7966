"""Codes, tokens and keys as data. How they are signed and stored is other files' business."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from broker.model.login import UserProfile
from broker.model.pool import AppClient, SigningAlgorithm

CODE_SECONDS = 300
"""Lifetime of an authorization code; a spent one is remembered at least as long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationCode:
    """What a code stands for. ``origin_jti`` names the token family before its first token exists,
    so that a second use of the code can revoke what the first one is still issuing."""

    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    sub: str
    auth_time: int
    issued_at: int
    origin_jti: str
    code_challenge: str | None = None
    nonce: str | None = None
    resource: str | None = None
    provider: str | None = None
    """By which the user came; None: not known, in what an older version has kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFamily:
    """All that one sign-in of one client yields: refresh tokens come and go, this stays.

    ``expires_at`` is when its last refresh token dies; rotation does not move it. ``provider`` as in
    ``AuthorizationCode``.
    """

    pool_id: str
    origin_jti: str
    client_id: str
    sub: str
    scopes: tuple[str, ...]
    auth_time: int
    issued_at: int
    expires_at: int
    resource: str | None = None
    provider: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldFamily:
    """A token family and whose it is. ``user`` is None when that user was deleted."""

    family: TokenFamily
    user: UserProfile | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenHolder:
    """Whose an access token is, and whether the family it belongs to was revoked."""

    user: UserProfile
    revoked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """A request at ``/oauth2/token`` after the client was authenticated; absent fields are None."""

    grant_type: str
    code: str | None = field(default=None, repr=False)
    redirect_uri: str | None = None
    code_verifier: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    scopes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """What a grant has established: whose tokens, for which client, with which scopes.

    ``user`` is None for client_credentials. ``refresh_token`` is the value to hand out, already
    stored; None hands out none.
    """

    client: AppClient
    user: UserProfile | None
    scopes: tuple[str, ...]
    auth_time: int
    origin_jti: str | None = None
    nonce: str | None = None
    resource: str | None = None
    refresh_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSet:
    """What the token endpoint answers. ``expires_in`` is the access token's, in seconds."""

    access_token: str = field(repr=False)
    expires_in: int
    id_token: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A private token key. ``kid`` is base64 of 32 bytes, with its ``=``."""

    kid: str
    algorithm: SigningAlgorithm
    private_pem: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertifiedKey:
    """A private SAML key and its self-signed certificate, both PEM."""

    private_pem: bytes = field(repr=False)
    certificate_pem: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolKeys:
    """A pool's keys. In each tuple the first signs (or is offered first); all verify or decrypt."""

    id_token: tuple[SigningKey, ...]
    access_token: tuple[SigningKey, ...]
    saml_signing: tuple[CertifiedKey, ...]
    saml_encryption: tuple[CertifiedKey, ...]


Claims = Mapping[str, object]
"""A token's payload: JSON object."""
