"""The sign-in that the demo does by itself: a browser walks through the pages, and tells.

Every step is told after it was seen to happen, never because it should have.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from broker.demo.browser import Browser, BrowserError, Page
from broker.demo.config_file import Addresses
from broker.demo.console import Steps
from broker.demo.ending import Ending
from broker.demo.people import ADA

SIGN_IN_WITH_SAML = "Sign in with SAML"
SIGN_IN_WITH_OIDC = "Sign in with OIDC"
_OK = 200


@dataclass(frozen=True, kw_only=True)
class Story:
    """What is told to whom, and the wish to stop that is respected between two steps."""

    at: Addresses
    steps: Steps
    ending: Ending

    def sign_in_with_saml(self, browser: Browser) -> Page:
        """From the app's page to the app's page, through the SAML identity provider."""
        page = self._begin(browser, SIGN_IN_WITH_SAML)
        self._expect(page, self.at.saml_idp)
        query = parse_qs(urlsplit(page.url).query)
        if "Signature" not in query or "SAMLRequest" not in query:
            raise BrowserError(f"The AuthnRequest is not signed on {page}.")
        self.steps.tell(
            "The broker sent the browser to the SAML identity provider with a signed request"
        )
        page = browser.submit(page)
        self._expect(page, self.at.saml_idp)
        self.steps.tell(f"{ADA.name} signed in there; the provider signed an assertion about her")
        page = browser.submit(page)
        self.steps.tell("The broker verified the assertion and sent the browser back with a code")
        return self._finish(page)

    def sign_in_with_oidc(self, browser: Browser) -> Page:
        """The same through the OpenID provider."""
        page = self._begin(browser, SIGN_IN_WITH_OIDC)
        self._expect(page, self.at.oidc_op)
        self.steps.tell("The broker sent the browser to the OpenID provider, with state and nonce")
        page = browser.submit(page)
        self.steps.tell(f"{ADA.name} signed in there; the broker exchanged the provider's code")
        return self._finish(page)

    def sign_out(self, browser: Browser, page: Page) -> None:
        """At the app, at the broker, and at the SAML provider when it takes part."""
        self.ending.check()
        page, where = browser.submit(page), "at the app and at the broker"
        while page.url.startswith(self.at.saml_idp):
            self._expect(page, self.at.saml_idp)
            page, where = browser.submit(page), "at the app, the broker and the identity provider"
        self._expect(page, self.at.app)
        page.link(SIGN_IN_WITH_SAML)
        self.steps.tell(f"Signed out again, {where}")

    def _begin(self, browser: Browser, button: str) -> Page:
        self.ending.check()
        page = browser.open(f"{self.at.app}/")
        self._expect(page, self.at.app)
        page = browser.follow(page, button)
        self.ending.check()
        if not any(url.startswith(f"{self.at.broker}/oauth2/authorize?") for url in page.trail):
            raise BrowserError(f"The app did not ask the broker on the way to {page}.")
        self.steps.tell("The sample app sent the browser to the broker, with state, nonce and PKCE")
        return page

    def _finish(self, page: Page) -> Page:
        self.ending.check()
        self._expect(page, self.at.app)
        page.text("claims")
        self.steps.tell("The app exchanged the code and verified the broker's ID token")
        return page

    def _expect(self, page: Page, base_url: str) -> None:
        if not page.url.startswith(f"{base_url}/") or page.status != _OK:
            raise BrowserError(f"Expected a page of {base_url}, and came to {page}.")
