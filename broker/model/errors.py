"""What a refusal is made of: a wire code, one public sentence, and a stable reason for the log.

Owns the vocabulary. Whether a refusal becomes JSON, a redirect or a page is for ``web/errors.py``;
which rule was broken is decided where the rule stands.
"""

from __future__ import annotations

import re
from enum import StrEnum

_NOT_PUBLIC = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]")


class ErrorCode(StrEnum):
    """The ``error`` values that leave the broker (RFC 6749 4.1.2.1 and 5.2, OIDC Core 3.1.2.6)."""

    ACCESS_DENIED = "access_denied"
    INVALID_CLIENT = "invalid_client"
    INVALID_GRANT = "invalid_grant"
    INVALID_REQUEST = "invalid_request"
    INVALID_SCOPE = "invalid_scope"
    INVALID_TOKEN = "invalid_token"
    LOGIN_REQUIRED = "login_required"
    REDIRECT_MISMATCH = "redirect_mismatch"
    REGISTRATION_NOT_SUPPORTED = "registration_not_supported"
    REQUEST_NOT_SUPPORTED = "request_not_supported"
    REQUEST_URI_NOT_SUPPORTED = "request_uri_not_supported"
    SERVER_ERROR = "server_error"
    TEMPORARILY_UNAVAILABLE = "temporarily_unavailable"
    UNAUTHORIZED_CLIENT = "unauthorized_client"
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"
    UNSUPPORTED_RESPONSE_TYPE = "unsupported_response_type"
    UNSUPPORTED_TOKEN_TYPE = "unsupported_token_type"


def public_sentence(text: str) -> str:
    """``text`` in the characters RFC 6749 5.2 allows in ``error_description``."""
    return _NOT_PUBLIC.sub("?", text.replace('"', "'"))


class OAuthError(Exception):
    """A request that breaks an OAuth rule.

    ``description`` is one public sentence that tells the app's developer what to change.
    ``reason`` names the rule, for the log; it never reaches the wire.
    """

    def __init__(self, code: ErrorCode, description: str = "", *, reason: RequestReason) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = public_sentence(description)
        self.reason = reason


class UpstreamError(Exception):
    """An identity provider's answer that the broker refuses.

    ``reason`` names the rule (see ``Reason``), ``expected`` and ``received`` are for the log and
    must be fit for it: no assertion, code, token or secret. ``code`` and ``public`` are what the
    app is told: the contract's text, equal for equal failures.
    """

    def __init__(
        self,
        reason: Reason,
        public: str = "",
        *,
        code: ErrorCode = ErrorCode.SERVER_ERROR,
        expected: str = "",
        received: str = "",
    ) -> None:
        super().__init__(f"{reason}: expected {expected!r}, received {received!r}")
        self.reason = reason
        self.code = code
        self.public = public_sentence(public)
        self.expected = expected
        self.received = received


class ConfigurationError(Exception):
    """A configuration that cannot be served: every fault of it, each with its path."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class StoreUnavailableError(Exception):
    """A store did not answer in time. The request fails closed with 503 and ``Retry-After``."""


class RequestReason(StrEnum):
    """Why a request was refused. Stable: each has its row in ``docs/troubleshooting.md``."""

    # The parameters of a request, whatever it asks for.
    INVALID_REQUEST = "invalid_request"
    PARAMETER_MISSING = "parameter_missing"
    PARAMETER_REPEATED = "parameter_repeated"
    PARAMETER_ENCODING = "parameter_encoding"
    REQUEST_TOO_LONG = "request_too_long"

    # An app asks for a sign-in.
    REDIRECT_MISMATCH = "redirect_mismatch"
    RESPONSE_TYPE_MISSING = "response_type_missing"
    UNSUPPORTED_RESPONSE_TYPE = "unsupported_response_type"
    RESPONSE_MODE_UNSUPPORTED = "response_mode_unsupported"
    UNAUTHORIZED_CLIENT = "unauthorized_client"
    INVALID_SCOPE = "invalid_scope"
    PKCE_REQUIRED = "pkce_required"
    PKCE_METHOD = "pkce_method"
    PKCE_CHALLENGE = "pkce_challenge"
    PROMPT_COMBINED = "prompt_combined"
    LOGIN_HINT_INVALID = "login_hint_invalid"
    MAX_AGE_INVALID = "max_age_invalid"
    RESOURCE_INVALID = "resource_invalid"
    PROVIDER_UNKNOWN = "provider_unknown"
    LOGIN_REQUIRED = "login_required"
    REQUEST_NOT_SUPPORTED = "request_not_supported"
    REQUEST_URI_NOT_SUPPORTED = "request_uri_not_supported"
    REGISTRATION_NOT_SUPPORTED = "registration_not_supported"

    # A sign-in that began at the provider.
    RELAY_STATE_MALFORMED = "relay_state_malformed"
    UNSOLICITED_PKCE = "unsolicited_pkce"
    UNSOLICITED_PROVIDER = "unsolicited_provider"

    # A client says who it is.
    CLIENT_ID_MISSING = "client_id_missing"
    CLIENT_AUTH_TWICE = "client_auth_twice"
    CLIENT_ID_DIFFERS = "client_id_differs"
    INVALID_CLIENT = "invalid_client"

    # A grant for tokens.
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"
    CODE_UNKNOWN = "code_unknown"
    CODE_REUSED = "code_reused"
    CODE_OF_OTHER_CLIENT = "code_of_other_client"
    CODE_REVOKED = "code_revoked"
    REDIRECT_URI_DIFFERS = "redirect_uri_differs"
    PKCE_VERIFIER = "pkce_verifier"
    PKCE_UNEXPECTED_VERIFIER = "pkce_unexpected_verifier"
    ATTRIBUTES_NOT_READABLE = "attributes_not_readable"
    REFRESH_TOKEN_UNKNOWN = "refresh_token_unknown"
    REFRESH_TOKEN_EXPIRED = "refresh_token_expired"
    REFRESH_TOKEN_REVOKED = "refresh_token_revoked"
    REFRESH_TOKEN_REUSED = "refresh_token_reused"

    # The user that a token is, or would be, of.
    USER_UNKNOWN = "user_unknown"
    USER_DISABLED = "user_disabled"
    PROVIDER_GONE = "provider_gone"

    # A token is shown, or is to be revoked.
    ACCESS_TOKEN_EXPIRED = "access_token_expired"
    ACCESS_TOKEN_REVOKED = "access_token_revoked"
    TOKEN_NOT_OURS = "token_not_ours"
    CLIENT_DISABLED = "client_disabled"
    OPENID_MISSING = "openid_missing"
    REVOCATION_OFF = "revocation_off"
    UNSUPPORTED_TOKEN_TYPE = "unsupported_token_type"

    # An app signs somebody out.
    LOGOUT_URI_UNREGISTERED = "logout_uri_unregistered"


class Reason(StrEnum):
    """Why a sign-in was refused. Stable: each has its row in ``docs/troubleshooting.md``."""

    # The delivery itself, before any message is read.
    TRANSACTION_UNKNOWN = "transaction_unknown"
    PARAMETER_MISSING = "parameter_missing"
    PARAMETER_REPEATED = "parameter_repeated"
    ANSWER_MISPLACED = "answer_misplaced"
    PROVIDER_UNKNOWN = "provider_unknown"
    PROVIDER_BUSY = "provider_busy"
    PROVIDER_NOT_BUILT = "provider_not_built"
    SIGN_OUT_UNKNOWN = "sign_out_unknown"

    # From external identity to user.
    ATTRIBUTE_REQUIRED = "attribute_required"
    ATTRIBUTE_INVALID = "attribute_invalid"
    ATTRIBUTE_UNKNOWN = "attribute_unknown"
    USERNAME_INVALID = "username_invalid"
    USERNAME_TAKEN = "username_taken"
    USER_DISABLED = "user_disabled"

    # A SAML Response: the document, its signatures, its encryption, then the rules of the profile.
    SAML_RESPONSE_TOO_LARGE = "saml_response_too_large"
    SAML_RESPONSE_NOT_BASE64 = "saml_response_not_base64"
    SAML_RESPONSE_NOT_XML = "saml_response_not_xml"
    SAML_RESPONSE_UNEXPECTED = "saml_response_unexpected"
    SAML_ASSERTION_PLACEMENT = "saml_assertion_placement"
    SAML_RESPONSE_SIGNATURE = "saml_response_signature"
    SAML_ASSERTION_SIGNATURE = "saml_assertion_signature"
    SAML_UNSIGNED = "saml_unsigned"
    SAML_DECRYPTION = "saml_decryption"
    SAML_ENCRYPTED_PREFIX = "saml_encrypted_prefix"
    SAML_NOT_ENCRYPTED = "saml_not_encrypted"
    SAML_STATUS = "saml_status"
    SAML_VERSION = "saml_version"
    SAML_ISSUER = "saml_issuer"
    SAML_DESTINATION = "saml_destination"
    SAML_IN_RESPONSE_TO = "saml_in_response_to"
    SAML_CONDITIONS = "saml_conditions"
    SAML_AUDIENCE = "saml_audience"
    SAML_NOT_YET_VALID = "saml_not_yet_valid"
    SAML_EXPIRED = "saml_expired"
    SAML_SUBJECT_CONFIRMATION = "saml_subject_confirmation"
    SAML_AUTHN_STATEMENT = "saml_authn_statement"
    SAML_AUTHN_CONTEXT = "saml_authn_context"
    SAML_SESSION_EXPIRED = "saml_session_expired"
    SAML_NAME_ID = "saml_name_id"
    SAML_ASSERTION_MALFORMED = "saml_assertion_malformed"
    SAML_REPLAY = "saml_replay"
    SAML_UNSOLICITED = "saml_unsolicited"
    SAML_ISSUED_TOO_LONG_AGO = "saml_issued_too_long_ago"
    SAML_AUTHN_TOO_OLD = "saml_authn_too_old"

    # A SAML message of our own.
    SAML_MESSAGE_TEXT = "saml_message_text"

    # A SAML provider's metadata.
    SAML_METADATA_UNAVAILABLE = "saml_metadata_unavailable"
    SAML_METADATA_INVALID = "saml_metadata_invalid"
    SAML_METADATA_ENTITY = "saml_metadata_entity"
    SAML_METADATA_NO_KEY = "saml_metadata_no_key"
    SAML_METADATA_NO_ENDPOINT = "saml_metadata_no_endpoint"

    # SAML single logout.
    SAML_LOGOUT_MALFORMED = "saml_logout_malformed"
    SAML_LOGOUT_SIGNATURE = "saml_logout_signature"
    SAML_LOGOUT_UNEXPECTED = "saml_logout_unexpected"

    # An OIDC or OAuth provider: reaching it, its answer to the browser, its tokens, its claims.
    OIDC_NOT_CONFIGURED = "oidc_not_configured"
    OIDC_DISCOVERY = "oidc_discovery"
    OIDC_DISCOVERY_ISSUER = "oidc_discovery_issuer"
    OIDC_ENDPOINT_REFUSED = "oidc_endpoint_refused"
    OIDC_JWKS = "oidc_jwks"
    OIDC_PROVIDER_UNREACHABLE = "oidc_provider_unreachable"
    OIDC_PROVIDER_TIMEOUT = "oidc_provider_timeout"
    OIDC_ANSWER_INVALID = "oidc_answer_invalid"
    OIDC_CANCELLED = "oidc_cancelled"
    OIDC_ERROR_RESPONSE = "oidc_error_response"
    OIDC_CODE_MISSING = "oidc_code_missing"
    OIDC_RESPONSE_ISSUER = "oidc_response_issuer"
    OIDC_TOKEN_REFUSED = "oidc_token_refused"
    OIDC_TOKEN_ANSWER = "oidc_token_answer"
    OIDC_TOKEN_MALFORMED = "oidc_token_malformed"
    OIDC_ALGORITHM = "oidc_algorithm"
    OIDC_CRITICAL = "oidc_critical"
    OIDC_KID_MISSING = "oidc_kid_missing"
    OIDC_KEY_UNKNOWN = "oidc_key_unknown"
    OIDC_SIGNATURE = "oidc_signature"
    OIDC_ISSUER = "oidc_issuer"
    OIDC_AUDIENCE = "oidc_audience"
    OIDC_AUTHORIZED_PARTY = "oidc_authorized_party"
    OIDC_EXPIRED = "oidc_expired"
    OIDC_NOT_YET_VALID = "oidc_not_yet_valid"
    OIDC_ISSUED_AT = "oidc_issued_at"
    OIDC_NONCE = "oidc_nonce"
    OIDC_AUTH_TIME = "oidc_auth_time"
    OIDC_SUBJECT = "oidc_subject"
    OIDC_USERINFO_SUBJECT = "oidc_userinfo_subject"
    OIDC_PROFILE = "oidc_profile"
    OIDC_LOGOUT_TOKEN = "oidc_logout_token"
