"""What to change, mostly at the identity provider, for each rule that a Response can break.

One sentence a reason, for people in front of an admin console. The longer story of each is in
``docs/troubleshooting.md``.
"""

from __future__ import annotations

from broker.model.errors import Reason

ADVICE = {
    Reason.SAML_RESPONSE_TOO_LARGE: "Send fewer attributes: groups are the usual cause.",
    Reason.SAML_RESPONSE_NOT_BASE64: "Capture the SAMLResponse form field again, whole.",
    Reason.SAML_RESPONSE_NOT_XML: "Capture the SAMLResponse form field again, whole.",
    Reason.SAML_RESPONSE_UNEXPECTED: "The field must hold a SAML 2.0 Response, not another message.",
    Reason.SAML_ASSERTION_PLACEMENT: "The Response must carry exactly one assertion.",
    Reason.SAML_RESPONSE_SIGNATURE: "Compare the provider's signing certificate with its metadata "
    "here; after a certificate change, renew MetadataFile.",
    Reason.SAML_ASSERTION_SIGNATURE: "Compare the provider's signing certificate with its metadata "
    "here; after a certificate change, renew MetadataFile. The signature must use SHA-256 or better.",
    Reason.SAML_UNSIGNED: "Switch on signing of the assertion, the response or both.",
    Reason.SAML_DECRYPTION: "Give the provider the encryption certificate from /saml2/metadata; it must "
    "use AES and RSA-OAEP.",
    Reason.SAML_ENCRYPTED_PREFIX: "Sign the assertion itself, before it is encrypted.",
    Reason.SAML_NOT_ENCRYPTED: "Switch on assertion encryption, or set EncryptedResponses to false.",
    Reason.SAML_STATUS: "The provider itself refused the sign-in: its own log says why.",
    Reason.SAML_VERSION: "The provider must speak SAML 2.0 with this application.",
    Reason.SAML_ISSUER: "The metadata configured here is of another provider or tenant.",
    Reason.SAML_DESTINATION: "Set the reply (ACS) URL to the one expected, to the letter.",
    Reason.SAML_IN_RESPONSE_TO: "The answer is to another request, or to none: for sign-in that begins at "
    "the provider, set IDPInit and a RelayState with the authorize parameters.",
    Reason.SAML_CONDITIONS: "The assertion must have one Conditions element of the usual kind.",
    Reason.SAML_AUDIENCE: "Set the audience (entity id, identifier) to the one expected.",
    Reason.SAML_NOT_YET_VALID: "Set the clocks: the provider's is ahead, or ours is behind.",
    Reason.SAML_EXPIRED: "Set the clocks, or let assertions live some minutes.",
    Reason.SAML_SUBJECT_CONFIRMATION: "The bearer confirmation needs Recipient = the ACS URL and a "
    "NotOnOrAfter: check the recipient URL.",
    Reason.SAML_AUTHN_STATEMENT: "The assertion must say when the person signed in: an AuthnStatement with "
    "an AuthnInstant.",
    Reason.SAML_AUTHN_CONTEXT: "Let the provider sign people in as RequestedAuthnContext says, and name that "
    "class in AuthnContextClassRef.",
    Reason.SAML_SESSION_EXPIRED: "The provider's session is over already: check its session lifetime.",
    Reason.SAML_NAME_ID: "Choose a NameID (subject) that every person has, and that does not change.",
    Reason.SAML_ASSERTION_MALFORMED: "The provider's software wrote something SAML does not allow.",
    Reason.SAML_REPLAY: "The same assertion came twice: was a page sent again?",
    Reason.SAML_UNSOLICITED: "Set IDPInit to true to let sign-in begin at the provider.",
    Reason.SAML_AUTHN_TOO_OLD: "Let the provider heed ForceAuthn, and set AuthnInstant to the new sign-in.",
    Reason.SAML_ISSUED_TOO_LONG_AGO: "Deliver the answer within six minutes, and set the clocks.",
    Reason.USERNAME_INVALID: "Choose a shorter NameID: with the ProviderName it is the user's name.",
    Reason.ATTRIBUTE_UNKNOWN: "Add the attribute to SchemaAttributes, with custom: in the mapping, or take "
    "it out of AttributeMapping.",
    Reason.ATTRIBUTE_INVALID: "Change the value at the provider, or the constraint in SchemaAttributes; for "
    "4-byte characters set AllowSupplementaryCharacters.",
    Reason.ATTRIBUTE_REQUIRED: "Send it and map it: a required attribute that is not sent must be there from "
    "an earlier sign-in.",
    Reason.SAML_MESSAGE_TEXT: "Look for control characters in what is configured for this provider.",
}
