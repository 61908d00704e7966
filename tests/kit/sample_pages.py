"""One of each page, with data an installation might have: what the tests of the pages go over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from broker.model.pool import ProviderType
from broker.web import pages
from broker.web.language import Language
from broker.web.pages import (
    EmailForm,
    EmailProblem,
    PageError,
    ProviderChoice,
    Purpose,
    SignedOutNote,
)
from broker.web.response import Response

REFERENCE = "2f1f6c3e-8c0e-4d0e-9d39-b7e8a3f2ad11"


def choice(name: str, kind: ProviderType, url: str = "/chosen") -> ProviderChoice:
    return ProviderChoice(name=name, type=kind, url=url)


EVERY_TYPE = [
    choice("Okta-Workforce", ProviderType.SAML),
    choice("Contoso", ProviderType.OIDC),
    choice("Google", ProviderType.GOOGLE),
    choice("Facebook", ProviderType.FACEBOOK),
    choice("LoginWithAmazon", ProviderType.AMAZON),
    choice("SignInWithApple", ProviderType.APPLE),
    choice("Microsoft", ProviderType.MICROSOFT),
    choice("GitHub", ProviderType.GITHUB),
]


def login(
    lang: Language,
    *,
    application: str = "Expense Reports",
    choices: Sequence[ProviderChoice] = (),
    email: EmailForm | None = None,
    problem: EmailProblem | None = None,
) -> Response:
    return pages.login_page(
        application=application, choices=choices, email=email, problem=problem, lang=lang
    )


def _error(kind: PageError) -> Callable[[Language], Response]:
    return lambda lang: pages.error_page(kind, status=400, reference=REFERENCE, lang=lang)


def _form_post(purpose: Purpose) -> Callable[[Language], Response]:
    return lambda lang: pages.form_post_page(
        "https://app.example.com/callback", {"code": "c", "state": "s"}, purpose=purpose, lang=lang
    )


FORM = EmailForm(action="/chosen", hidden={"client_id": "app"}, value="jo@nowhere.example")

PAGES: Mapping[str, Callable[[Language], Response]] = {
    "login": lambda lang: login(lang, choices=EVERY_TYPE),
    "login-email": lambda lang: login(lang, choices=EVERY_TYPE[2:], email=FORM),
    "login-invalid": lambda lang: login(lang, email=FORM, problem=EmailProblem.INVALID),
    "login-unknown": lambda lang: login(lang, email=FORM, problem=EmailProblem.UNKNOWN),
    "login-none": login,
    "signed-out": lambda lang: pages.signed_out_page(lang=lang),
    "signed-out-notes": lambda lang: pages.signed_out_page(lang=lang, notes=list(SignedOutNote)),
    "confirm": lambda lang: pages.confirm_sign_out_page(
        action="/chosen", hidden={"client_id": "app"}, lang=lang
    ),
    **{f"error-{kind}": _error(kind) for kind in PageError},
    **{f"post-{purpose}": _form_post(purpose) for purpose in Purpose},
}
