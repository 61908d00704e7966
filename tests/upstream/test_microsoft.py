"""Microsoft Entra ID, one tenant or many, against a double of its documented behaviour."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from broker.model.errors import Reason, UpstreamError
from broker.model.pool import ProviderType
from broker.ports import Upstream
from broker.upstream import microsoft
from broker.upstream.http import HttpClient
from tests.kit.clock import ManualClock
from tests.kit.http_double import as_json
from tests.kit.social import CONTOSO, FABRIKAM, PERSONAL, Microsoft
from tests.upstream.sign_ins import POOL, begin, provider, refusal, sign_in

SUBJECT = "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ"


@pytest.fixture
def double(clock: ManualClock) -> Iterator[Microsoft]:
    with Microsoft(clock=clock) as running:
        yield running


@pytest.fixture
def connect(double: Microsoft, http: HttpClient, clock: ManualClock) -> Callable[..., Upstream]:
    def made(**settings: Any) -> Upstream:
        entry = provider(ProviderType.MICROSOFT, **double.settings(**settings))
        return microsoft.connector(POOL, entry, http=http, clock=clock)

    return made


def test_one_tenant(double: Microsoft, connect: Callable[..., Upstream]) -> None:
    double.tenant = CONTOSO

    identity = sign_in(connect(), double.sign_in)

    assert identity.subject == SUBJECT
    assert identity.issuer == double.authority
    assert identity.claims["preferred_username"] == ("abeli@contoso.test",)


def test_a_tenant_may_be_named_by_its_domain(
    double: Microsoft, connect: Callable[..., Upstream]
) -> None:
    double.tenant = "contoso.onmicrosoft.com"

    assert sign_in(connect(), double.sign_in).issuer == f"{double.url}/{CONTOSO}/v2.0"


def test_one_tenant_takes_no_token_of_another(
    double: Microsoft, connect: Callable[..., Upstream]
) -> None:
    double.tenant = CONTOSO
    double.claims = {"iss": f"{double.url}/{FABRIKAM}/v2.0", "tid": FABRIKAM}

    refusal(connect(), double.sign_in, Reason.OIDC_ISSUER)


@pytest.mark.parametrize("tenant", ["common", "organizations"])
def test_many_tenants(double: Microsoft, connect: Callable[..., Upstream], tenant: str) -> None:
    """The same sub in two tenants is two people."""
    double.tenant = tenant
    upstream = connect()

    first = sign_in(upstream, double.sign_in)
    double.signs_in_from = FABRIKAM
    second = sign_in(upstream, double.sign_in)

    assert (first.subject, first.issuer) == (
        f"{CONTOSO}.{SUBJECT}",
        f"{double.url}/{CONTOSO}/v2.0",
    )
    assert (second.subject, second.issuer) == (
        f"{FABRIKAM}.{SUBJECT}",
        f"{double.url}/{FABRIKAM}/v2.0",
    )


@pytest.mark.parametrize(
    "claims",
    [
        {"tid": FABRIKAM},
        {"tid": "{tenantid}"},
        {"tid": "common"},
        {"tid": None},
        {"tid": ""},
        {"tid": f"{CONTOSO}/v2.0#"},
        {"iss": "https://evil.example/v2.0"},
        {"iss": "", "tid": "x"},
    ],
)
def test_issuer_and_tid_name_the_same_tenant(
    double: Microsoft, connect: Callable[..., Upstream], claims: dict[str, Any]
) -> None:
    double.claims = claims

    refusal(connect(), double.sign_in, Reason.OIDC_ISSUER)


def test_the_template_itself_is_no_issuer(
    double: Microsoft, connect: Callable[..., Upstream]
) -> None:
    double.claims = {"iss": f"{double.url}/{{tenantid}}/v2.0", "tid": "{tenantid}"}

    refusal(connect(), double.sign_in, Reason.OIDC_ISSUER)


def test_a_key_of_one_tenant_signs_for_no_other(
    double: Microsoft, connect: Callable[..., Upstream]
) -> None:
    double.key_issuer = f"{double.url}/{PERSONAL}/v2.0"

    refusal(connect(), double.sign_in, Reason.OIDC_ISSUER)

    double.signs_in_from = PERSONAL
    assert sign_in(connect(), double.sign_in).subject == f"{PERSONAL}.{SUBJECT}"


def test_organizations_are_no_personal_accounts(
    double: Microsoft, connect: Callable[..., Upstream]
) -> None:
    double.tenant, double.signs_in_from = "organizations", PERSONAL

    refusal(connect(), double.sign_in, Reason.OIDC_ISSUER)


def test_pkce_works_although_it_is_not_announced(
    double: Microsoft, connect: Callable[..., Upstream]
) -> None:
    sign_in(connect(), double.sign_in)

    assert double.http.last("/common/oauth2/v2.0/token").form["code_verifier"]
    assert double.http.count("/oidc/userinfo") == 0


def test_userinfo_is_called_when_it_is_configured(
    double: Microsoft, connect: Callable[..., Upstream]
) -> None:
    double.replies["/oidc/userinfo"] = as_json({"sub": SUBJECT, "picture": "https://g.test/p"})

    identity = sign_in(connect(attributes_url=f"{double.url}/oidc/userinfo"), double.sign_in)

    assert identity.claims["picture"] == ("https://g.test/p",)


def test_errors_are_told_in_microsofts_words(
    double: Microsoft, connect: Callable[..., Upstream]
) -> None:
    error = refusal(connect(client_secret="x"), double.sign_in, Reason.OIDC_TOKEN_REFUSED)

    assert error.public.startswith("Microsoft Error - 400 invalid_grant AADSTS54005: OAuth2")


@pytest.mark.parametrize(
    ("authority", "issuer", "same"),
    [
        ("https://l.test/common/v2.0", "https://l.test/{tenantid}/v2.0", True),
        ("https://l.test/contoso.test/v2.0", f"https://l.test/{CONTOSO}/v2.0", True),
        (f"https://l.test/{CONTOSO}/v2.0", f"https://l.test/{CONTOSO}/v2.0", True),
        (f"https://l.test/{CONTOSO}/v2.0", f"https://l.test/{FABRIKAM}/v2.0", False),
        (f"https://l.test/{CONTOSO}/v2.0", "https://l.test/{tenantid}/v2.0", False),
        ("https://l.test/common/v2.0", "https://evil.test/{tenantid}/v2.0", False),
        ("https://l.test/common/v2.0", "http://l.test/{tenantid}/v2.0", False),
        ("https://l.test/common/v2.0", "https://l.test/{tenantid}/v1.0", False),
        ("https://l.test/common/v2.0", "https://l.test/evil/v2.0", False),
        ("https://l.test/common/v2.0", "https://l.test/{tenantid}/v2.0?x", False),
        ("https://l.test/common/v2.0", "https://[", False),
    ],
)
def test_which_documents_are_the_tenants(authority: str, issuer: str, same: bool) -> None:
    assert microsoft.is_issuer(authority, issuer) is same


@pytest.mark.parametrize(
    ("extra", "tenant"), [({}, "common"), ({"tenant": "contoso.test"}, "contoso.test")]
)
def test_the_tenant_is_configured(
    clock: ManualClock, http: HttpClient, extra: dict[str, str], tenant: str
) -> None:
    asked: list[str] = []

    class Offline(HttpClient):
        def get(self, url: str, **_: Any) -> Any:
            asked.append(url)
            raise UpstreamError(Reason.OIDC_PROVIDER_TIMEOUT)

    entry = provider(ProviderType.MICROSOFT, client_id="x", client_secret="y", extra=extra)
    with pytest.raises(UpstreamError):
        begin(microsoft.connector(POOL, entry, http=Offline(), clock=clock))

    assert asked == [
        f"https://login.microsoftonline.com/{tenant}/v2.0/.well-known/openid-configuration"
    ]
