"""Every member of the configuration: what it may hold and what it is for.

The names, forms and limits are those of the Cognito API (CreateUserPool, DescribeUserPool and
their like), plus the broker's own. The JSON schema is made from these tables, and the reference
in ``docs/configuration.md`` is checked against them. ``let_through`` holds what the API knows and
a federation broker has no use for, and what Describe calls add. App clients have
their table in ``client_table.py``; what ``ProviderDetails`` hold depends on the provider's type and
stands in ``provider_tables.py``.
"""

from __future__ import annotations

import re

from broker.model.pool import Conformance, ProviderType, SigningAlgorithm
from broker.model.urls import web_problem
from broker.settings import rules, urls
from broker.settings.client_table import CLIENT, NAME
from broker.settings.kinds import Anything, Boolean, Choice, ListOf, MapOf, Number, Text, Whole
from broker.settings.members import Member, Object, Objects, table
from broker.settings.provider_tables import SAML_OWN

_IDENTIFIER = re.compile(r"[\w\s+=.@-]{1,40}")

RESOURCE_SERVER = table(
    "ResourceServer",
    Member(
        "Identifier",
        Text(must=rules.resource_identifier, longest=256),
        "What the scopes of this API begin with.",
        required=True,
    ),
    Member("Name", Text(longest=256), "A name for people."),
    Member(
        "Scopes",
        Objects(
            table=table(
                "ResourceServerScope",
                Member(
                    "ScopeName",
                    Text(must=rules.scope_name, longest=256),
                    "The scope is <Identifier>/<ScopeName>.",
                    required=True,
                ),
                Member("ScopeDescription", Text(longest=256), "What it allows, for people."),
            ),
            most=100,
        ),
        "The scopes of this API.",
    ),
    let_through="UserPoolId ManagedBy ResponseMetadata",
    wrapper="ResourceServer",
)

SCHEMA_ATTRIBUTE = table(
    "SchemaAttribute",
    Member(
        "Name",
        Text(must=rules.not_empty),
        "A standard attribute, or a custom one with or without custom: in front.",
        required=True,
    ),
    Member(
        "AttributeDataType",
        Choice(words=("String", "Number", "DateTime", "Boolean")),
        "The type of its values.",
        default="String",
    ),
    Member("Mutable", Boolean(), "Whether it may change after the first sign-in.", default="true"),
    Member("Required", Boolean(), "Whether a user must have it.", default="false"),
    Member(
        "StringAttributeConstraints",
        Object(
            table(
                "StringAttributeConstraints",
                Member("MinLength", Whole(low=0, high=2**31), "The shortest value."),
                Member("MaxLength", Whole(low=0, high=2**31), "The longest value."),
            )
        ),
        "Limits of text.",
    ),
    Member(
        "NumberAttributeConstraints",
        Object(
            table(
                "NumberAttributeConstraints",
                Member("MinValue", Number(), "The smallest value."),
                Member("MaxValue", Number(), "The largest value."),
            )
        ),
        "Limits of numbers.",
    ),
    Member("DeveloperOnlyAttribute", Boolean(), "Without effect."),
)

PROVIDER = table(
    "IdentityProvider",
    Member(
        "ProviderName",
        Text(must=rules.provider_name, longest=32),
        "The name apps and user names show.",
        required=True,
    ),
    Member("ProviderType", Choice(words=tuple(ProviderType)), "What it speaks.", required=True),
    Member("ProviderDetails", Anything(), "The settings of its ProviderType.", required=True),
    Member(
        "AttributeMapping",
        MapOf(value=Text(must=rules.not_empty), longest_name=32),
        "Pool attribute: the provider's claim or SAML attribute name.",
    ),
    Member(
        "IdpIdentifiers",
        ListOf(item=Text(must=rules.not_empty, pattern=_IDENTIFIER), most=50),
        "Other names, usually e-mail domains, that choose this provider.",
    ),
    *SAML_OWN,
    let_through="UserPoolId LastModifiedDate CreationDate AcrMapping ResponseMetadata",
    wrapper="IdentityProvider",
)

_TRIGGERS = (
    "PreSignUp",
    "PostConfirmation",
    "PreAuthentication",
    "PostAuthentication",
    "PreTokenGeneration",
    "PreTokenGenerationConfig",
    "InboundFederation",
)

LAMBDA_CONFIG = table(
    "LambdaConfig",
    *(Member(name, Anything(), "A trigger of federated sign-in.") for name in _TRIGGERS),
    let_through=(
        "CustomMessage DefineAuthChallenge CreateAuthChallenge VerifyAuthChallengeResponse"
        " UserMigration CustomSMSSender CustomEmailSender KMSKeyID"
    ),
)

_NAME = Text(must=rules.writable, pattern=NAME)
_PIXELS = Whole(low=1, high=10_000)
_SCHEMA = Objects(table=SCHEMA_ATTRIBUTE, most=70)

POOL = table(
    "UserPool",
    Member(
        "Id",
        Text(must=rules.pool_id, longest=55),
        "<region>_<letters and digits>; part of every path and of the SAML entity id.",
        required=True,
    ),
    Member("Name", _NAME, "A name for people."),
    Member("PoolName", _NAME, "The same as Name, as CreateUserPool calls it."),
    Member(
        "Domain",
        ListOf(item=Text(must=rules.not_empty), most=2, alone=True),
        "A base URL, a host name, or a bare prefix; or a list, the main one first.",
        required=True,
    ),
    Member(
        "Issuer",
        Text(must=urls.issuer_problem),
        "The broker's own. The iss of tokens.",
        default="<Domain>/<Id>",
    ),
    Member("UserPoolClients", Objects(table=CLIENT, most=10_000), "The apps."),
    Member("IdentityProviders", Objects(table=PROVIDER, most=1000), "Who signs users in."),
    Member("ResourceServers", Objects(table=RESOURCE_SERVER, most=300), "The APIs with scopes."),
    Member("SchemaAttributes", _SCHEMA, "Custom attributes, and changed standard ones."),
    Member("Schema", _SCHEMA, "The same as SchemaAttributes, as CreateUserPool calls it."),
    Member(
        "SigningAlgorithm",
        Choice(words=tuple(SigningAlgorithm)),
        "The broker's own. How tokens are signed.",
        default="RS256",
    ),
    Member(
        "Conformance",
        Choice(words=tuple(Conformance)),
        "The broker's own. Whose value types and attribute placement tokens have.",
        default="cognito",
    ),
    Member(
        "UsernameConfiguration",
        Object(
            table(
                "UsernameConfiguration",
                Member("CaseSensitive", Boolean(), "Whether user names are.", default="true"),
            )
        ),
        "How user names compare.",
    ),
    Member(
        "AllowSupplementaryCharacters",
        Boolean(),
        "The broker's own. Whether SAML attributes may have characters beyond U+FFFF (emoji).",
        default="false",
    ),
    Member(
        "Organization",
        Object(
            table(
                "Organization",
                Member("Name", Text(must=rules.text), "Its name.", required=True),
                Member("DisplayName", Text(must=rules.text), "For people.", default="Name"),
                Member("URL", Text(must=web_problem), "Its site.", required=True),
            )
        ),
        "The broker's own. Who runs the pool, for SAML providers to show.",
    ),
    Member(
        "DisplayName",
        Text(must=rules.text),
        "The broker's own. What SAML providers call the pool to their users.",
        default="Name",
    ),
    Member(
        "Logo",
        Object(
            table(
                "Logo",
                Member("URL", Text(must=web_problem), "Where the image is.", required=True),
                Member("Width", _PIXELS, "In pixels.", required=True),
                Member("Height", _PIXELS, "In pixels.", required=True),
            )
        ),
        "The broker's own. An image beside that name, for SAML providers to show.",
    ),
    Member("LambdaConfig", Object(LAMBDA_CONFIG), "Triggers."),
    Member("CustomDomain", Text(), "Without effect: put it into the Domain list."),
    let_through=(
        "Policies DeletionProtection Status LastModifiedDate CreationDate AutoVerifiedAttributes"
        " AliasAttributes UsernameAttributes SmsVerificationMessage EmailVerificationMessage"
        " EmailVerificationSubject VerificationMessageTemplate SmsAuthenticationMessage"
        " UserAttributeUpdateSettings MfaConfiguration DeviceConfiguration EstimatedNumberOfUsers"
        " EmailConfiguration SmsConfiguration UserPoolTags SmsConfigurationFailure"
        " EmailConfigurationFailure AdminCreateUserConfig UserPoolAddOns DcrConfiguration Arn"
        " AccountRecoverySetting UserPoolTier KeyConfiguration IssuerConfiguration"
        " AcrConfiguration DomainDescription UserPoolId ResponseMetadata"
    ),
    wrapper="UserPool",
)
