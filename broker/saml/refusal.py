"""What a refused SAML message is called: the reason for the log, one sentence for the app.

The sentences are few on purpose. Whoever sends a message learns which rule of the profile it
broke, but everything about decryption, and about a signature below it, sounds the same.
"""

from __future__ import annotations

from broker.model.errors import Reason, UpstreamError

_PREFIX = "Invalid SAML response received: "
_UNREADABLE = "Invalid samlResponse or relayState from identity provider"
_ASSERTION_SIGNATURE = f"{_PREFIX}SAML Assertion signature is invalid. "

_METADATA = "Error retrieving metadata"

_PUBLIC = {
    Reason.PARAMETER_MISSING: _UNREADABLE,
    Reason.SAML_RESPONSE_TOO_LARGE: _UNREADABLE,
    Reason.SAML_RESPONSE_NOT_BASE64: _UNREADABLE,
    Reason.SAML_RESPONSE_NOT_XML: _UNREADABLE,
    Reason.SAML_RESPONSE_UNEXPECTED: _UNREADABLE,
    Reason.SAML_ASSERTION_PLACEMENT: f"{_PREFIX}Exactly one Assertion is required. ",
    Reason.SAML_RESPONSE_SIGNATURE: f"{_PREFIX}SAML Response signature is invalid. ",
    Reason.SAML_ASSERTION_SIGNATURE: _ASSERTION_SIGNATURE,
    Reason.SAML_UNSIGNED: _ASSERTION_SIGNATURE,
    Reason.SAML_DECRYPTION: _ASSERTION_SIGNATURE,
    Reason.SAML_ENCRYPTED_PREFIX: _ASSERTION_SIGNATURE,
    Reason.SAML_NOT_ENCRYPTED: f"{_PREFIX}SAML Assertion is not encrypted. ",
    Reason.SAML_STATUS: f"{_PREFIX}Status is not Success. ",
    Reason.SAML_VERSION: f"{_PREFIX}Version is not 2.0. ",
    Reason.SAML_ISSUER: f"{_PREFIX}Issuer does not match the identity provider. ",
    Reason.SAML_DESTINATION: f"{_PREFIX}Destination does not match. ",
    Reason.SAML_IN_RESPONSE_TO: f"{_PREFIX}InResponseTo does not match the request. ",
    Reason.SAML_CONDITIONS: f"{_PREFIX}Conditions are missing or not understood. ",
    Reason.SAML_AUDIENCE: f"{_PREFIX}Audience restriction does not match. ",
    Reason.SAML_NOT_YET_VALID: f"{_PREFIX}SAML Assertion is not yet valid. ",
    Reason.SAML_EXPIRED: f"{_PREFIX}SAML Assertion has expired. ",
    Reason.SAML_SUBJECT_CONFIRMATION: f"{_PREFIX}SubjectConfirmation does not match. ",
    Reason.SAML_AUTHN_STATEMENT: f"{_PREFIX}AuthnStatement is missing or invalid. ",
    Reason.SAML_AUTHN_CONTEXT: f"{_PREFIX}Authentication context does not match. ",
    Reason.SAML_SESSION_EXPIRED: f"{_PREFIX}The session at the identity provider has expired. ",
    Reason.SAML_NAME_ID: f"{_PREFIX}NameID is missing or invalid. ",
    Reason.SAML_ASSERTION_MALFORMED: f"{_PREFIX}SAML Assertion is malformed. ",
    Reason.SAML_REPLAY: f"{_PREFIX}SAML Assertion was used before. ",
    Reason.SAML_UNSOLICITED: f"{_PREFIX}The response was not asked for. ",
    Reason.SAML_AUTHN_TOO_OLD: f"{_PREFIX}The sign-in at the identity provider is too old. ",
    Reason.SAML_ISSUED_TOO_LONG_AGO: f"{_PREFIX}SAML Assertion was issued too long ago. ",
    Reason.SAML_MESSAGE_TEXT: "The message to the identity provider cannot be written",
    Reason.SAML_METADATA_UNAVAILABLE: _METADATA,
    Reason.SAML_METADATA_INVALID: _METADATA,
    Reason.SAML_METADATA_ENTITY: _METADATA,
    Reason.SAML_METADATA_NO_KEY: _METADATA,
    Reason.SAML_METADATA_NO_ENDPOINT: _METADATA,
}

_LONGEST = 200


def refused(reason: Reason, expected: str, received: str) -> UpstreamError:
    """The refusal for ``reason``; what was received is cut to what a log line can bear."""
    return UpstreamError(
        reason, _PUBLIC.get(reason, ""), expected=expected, received=received[:_LONGEST]
    )
