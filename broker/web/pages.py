"""The pages people see, and the headers every one of them carries.

Owns what a page says, how it looks and what a browser may do with it. When a page is shown, with
which status, and what its links lead to is decided by the endpoints. Nothing of a request is shown
here: every word comes from the configuration or from ``languages/``.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from broker.model.pool import ProviderType
from broker.web.language import Language
from broker.web.response import Response

_TEMPLATES = Environment(
    loader=PackageLoader("broker"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_SHEET = Markup((files("broker") / "static" / "pages.css").read_text("utf-8"))  # noqa: S704  # ours
_SUBMIT = Markup("document.forms[0].submit()")
_TEMPLATES.globals.update(sheet=_SHEET, submit=_SUBMIT)


def _hash(source: str) -> str:
    """An inline style sheet or script as a CSP source: this text runs, and no other (CSP3 2.3.1)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


_OPEN = (
    f"default-src 'none'; style-src {_hash(_SHEET)}; img-src data:; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""For a page with a form. There is no ``form-action``: Chromium applies it to every redirect that
follows the form, and these forms lead to identity providers and apps, which redirect to addresses
nobody here can list. Leaving it out costs little: nothing on these pages is secret from the person
who reads it, and no markup can come in from outside."""

_CLOSED = f"{_OPEN}; form-action 'none'"
"""For a page without a form."""

_SUBMITTING = f"{_OPEN}; script-src {_hash(_SUBMIT)}"
"""For the form that submits itself. A ``javascript:`` address stays dead: it has no hash."""


def _page(template: str, lang: Language, *, status: int, policy: str, **values: object) -> Response:
    """The one way out: a page in ``lang``, and the headers of pages.

    No ``Cross-Origin-Opener-Policy``: it would cut an app that signs in by a pop-up off from it.
    """
    html = _TEMPLATES.get_template(template).render(lang=lang, text=lang.text, **values)
    # A value that is no Unicode (half of a surrogate pair) must not become an error of ours.
    return Response(
        html.encode("utf-8", "replace"),
        status,
        {
            "Content-Type": "text/html; charset=utf-8",
            "Cache-Control": "no-store",
            "Content-Language": lang.code,
            "Content-Security-Policy": policy,
        },
    )


_BRANDS = {
    ProviderType.AMAZON: "Amazon",
    ProviderType.APPLE: "Apple",
    ProviderType.FACEBOOK: "Facebook",
    ProviderType.GITHUB: "GitHub",
    ProviderType.GOOGLE: "Google",
    ProviderType.MICROSOFT: "Microsoft",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderChoice:
    """One way to sign in: the provider as configured, and where choosing it leads."""

    name: str
    type: ProviderType
    url: str

    @property
    def label(self) -> str:
        """What people call it: ``SignInWithApple`` is Apple to them."""
        return _BRANDS.get(self.type, self.name)

    @property
    def mark(self) -> str:
        """The name of its mark: our own drawings, no company's artwork."""
        return {ProviderType.SAML: "building", ProviderType.OIDC: "key"}.get(self.type, "letter")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailForm:
    """The box that finds the provider by the part after ``@``: a GET form to ``action``.

    ``hidden`` goes along unchanged; ``value`` is shown in the box; ``name`` is its parameter.
    """

    action: str
    hidden: Mapping[str, str] = field(default_factory=dict)
    value: str = ""
    name: str = "email"


class EmailProblem(StrEnum):
    """Why the address entered led nowhere."""

    INVALID = "email_invalid"
    UNKNOWN = "email_unknown"


def login_page(
    *,
    application: str,
    choices: Sequence[ProviderChoice],
    lang: Language,
    email: EmailForm | None = None,
    problem: EmailProblem | None = None,
    status: int = 200,
) -> Response:
    """The ways to sign in to ``application`` (may be empty), in the order given.

    With neither ``choices`` nor ``email`` it says that there is none, and what to configure.
    """
    return _page(
        "login.html" if choices or email else "no_sign_in.html",
        lang,
        status=status,
        policy=_OPEN if email else _CLOSED,
        application=application,
        choices=choices,
        email=email,
        problem=problem,
    )


class PageError(StrEnum):
    """What an error page is about. Equal failures are equal pages, but for the reference."""

    REDIRECT_MISMATCH = "redirect_mismatch"
    PARAMETER_MISSING = "parameter_missing"
    BAD_REQUEST = "bad_request"
    SIGN_IN_UNKNOWN = "sign_in_unknown"
    INVALID_ANSWER = "invalid_answer"
    SIGN_OUT_REFUSED = "sign_out_refused"
    UNAVAILABLE = "unavailable"
    TOO_LARGE = "too_large"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    UNEXPECTED = "unexpected"

    @property
    def advice(self) -> str:
        """What the person can do: wait for what is down, or start again what ended here."""
        others = {
            PageError.UNAVAILABLE: "error.try_later",
            PageError.SIGN_OUT_REFUSED: "error.sign_out_again",
        }
        return others.get(self, "error.start_again")


def error_page(kind: PageError, *, status: int, reference: str | None, lang: Language) -> Response:
    """What happened, what the person can do, what the developer must change, and the reference."""
    return _page("error.html", lang, status=status, policy=_CLOSED, kind=kind, reference=reference)


class SignedOutNote(StrEnum):
    """What else a person who signed out should know."""

    PARTIAL = "partial"
    """The identity provider did not confirm."""
    UNREGISTERED = "unregistered"
    """The address to go on to is not registered, so the person stays here."""


def signed_out_page(
    *, lang: Language, notes: Collection[SignedOutNote] = (), status: int = 200
) -> Response:
    """The end of a sign-out that leads nowhere else."""
    return _page("signed_out.html", lang, status=status, policy=_CLOSED, notes=notes)


def confirm_sign_out_page(
    *, action: str, hidden: Mapping[str, str], lang: Language, status: int = 200
) -> Response:
    """You are still signed in: a request nobody vouches for ends no session without a question.

    The answer is a POST of ``hidden`` to ``action``.
    """
    return _page(
        "confirm_sign_out.html", lang, status=status, policy=_OPEN, action=action, hidden=hidden
    )


class Purpose(StrEnum):
    """What a self-submitting form is for, which is what a person without script reads."""

    SIGN_IN = "sign_in"
    SIGN_OUT = "sign_out"
    APPLICATION = "application"


def form_post_page(
    url: str, fields: Mapping[str, str], *, purpose: Purpose, lang: Language
) -> Response:
    """``fields`` posted to ``url`` by the browser: by script, or by the button.

    The SAML HTTP-POST binding (SAML Bindings 3.5) and OAuth 2.0 Form Post Response Mode.
    """
    return _page(
        "form_post.html",
        lang,
        status=200,
        policy=_SUBMITTING,
        url=url,
        fields=fields,
        purpose=purpose,
    )
