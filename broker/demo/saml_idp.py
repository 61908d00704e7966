"""A SAML 2.0 identity provider that lets you say who you are, and signs it.

Its endpoints: metadata, single sign-on by HTTP-Redirect and HTTP-POST, single logout, and a page of
applications for sign-in that begins here. It answers the one service provider whose metadata it
was given, and asks at every sign-in: it keeps no session a browser could come back to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from flask import Flask, Response, abort, render_template, request
from itsdangerous import BadData, URLSafeTimedSerializer

from broker.demo import people, saml_requests
from broker.demo.pages import message_form, page_server
from broker.demo.saml_requests import Message, RequestError, ServiceProvider
from broker.demo.saml_responses import SignIn, Writer, posted
from broker.demo.saml_xml import Signer, new_id
from broker.model.tokens import CertifiedKey
from broker.ports import Clock

_TICKET_SECONDS = 600


@dataclass(frozen=True, kw_only=True)
class SamlIdp:
    """The provider behind the pages. ``read_metadata`` fetches the service provider's document;
    it is called when the first message comes, because the two know each other only then.

    ``applications``: name -> RelayState of an unsolicited response that signs in there."""

    base_url: str
    key: CertifiedKey
    read_metadata: Callable[[], bytes]
    clock: Clock
    applications: Mapping[str, str] = field(default_factory=dict)
    _sessions: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def entity_id(self) -> str:
        return f"{self.base_url}/metadata"

    @property
    def sso_url(self) -> str:
        return f"{self.base_url}/sso"

    @property
    def logout_url(self) -> str:
        return f"{self.base_url}/logout"

    @cached_property
    def writer(self) -> Writer:
        return Writer(entity_id=self.entity_id, signer=Signer(self.key))

    @cached_property
    def service_provider(self) -> ServiceProvider:
        return ServiceProvider.from_metadata(self.read_metadata())

    @cached_property
    def tickets(self) -> URLSafeTimedSerializer:
        """Carries a checked request through the form, so that the page cannot change it."""
        return URLSafeTimedSerializer(self.key.private_pem, salt="sign-in")

    def metadata(self) -> bytes:
        return self.writer.metadata(sso_url=self.sso_url, logout_url=self.logout_url)

    def message(self) -> Message:
        """The message of the current request, in whichever binding it came."""
        if request.method == "GET":
            query = request.query_string.decode("latin-1")  # octets: a signature is over them
            return saml_requests.from_query(query, self.service_provider)
        return saml_requests.from_form(
            request.form.get("SAMLRequest", ""),
            request.form.get("RelayState"),
            self.service_provider,
        )

    def sign_in(self, person: people.Person, request_id: str | None) -> bytes:
        """A Response for ``person``, remembered as a session that a logout can end."""
        sign_in = SignIn(person=person, session_index=new_id(), request_id=request_id)
        self._sessions[sign_in.session_index] = person.email
        return self.writer.response(sign_in, self.service_provider, now=self.clock.now())

    def end_sessions(self, logout: saml_requests.LogoutRequest) -> bool:
        """End what a LogoutRequest names; no index means all of the person's (Core 3.7.1)."""
        named = [
            index
            for index, name_id in tuple(self._sessions.items())
            if name_id == logout.name_id
            and (not logout.session_indexes or index in logout.session_indexes)
        ]
        for index in named:
            self._sessions.pop(index, None)
        return bool(named)


def create_idp(idp: SamlIdp) -> Flask:
    """The identity provider as a WSGI application that answers at its ``base_url``."""
    pages = _Pages(idp)
    app = page_server(__name__, title="Demo SAML identity provider")
    app.add_url_rule("/", "home", pages.home)
    app.add_url_rule("/metadata", "metadata", pages.metadata)
    app.add_url_rule("/sso", "sso", pages.sso, methods=["GET", "POST"])
    app.add_url_rule("/start/<application>", "start", pages.start)
    app.add_url_rule("/sign-in", "sign_in", pages.sign_in, methods=["POST"])
    app.add_url_rule("/logout", "logout", pages.logout, methods=["GET", "POST"])
    app.register_error_handler(RequestError, _refused)
    return app


@dataclass(frozen=True)
class _Pages:
    """The endpoints, each as its steps."""

    idp: SamlIdp

    def home(self) -> str:
        return render_template(
            "idp.html", applications=self.idp.applications, entity_id=self.idp.entity_id
        )

    def metadata(self) -> Response:
        return Response(self.idp.metadata(), mimetype="application/samlmetadata+xml")

    def sso(self) -> str:
        """SAML Profiles 4.1.4.1: check the request, then ask the person."""
        message = self.idp.message()
        request_id = saml_requests.authn_request(
            message, self.idp.service_provider, endpoint=self.idp.sso_url
        )
        return self._ask(request_id, message.relay_state)

    def start(self, application: str) -> str:
        """SAML Profiles 4.1.5: nobody asked; RelayState says where the person wants to go."""
        if application not in self.idp.applications:
            abort(404)
        return self._ask(None, self.idp.applications[application])

    def sign_in(self) -> Response:
        request_id, relay_state = self._redeem(request.form.get("ticket", ""))
        response = self.idp.sign_in(people.person_from(request.form), request_id)
        return _answer(response, to=self.idp.service_provider.acs_url, relay_state=relay_state)

    def logout(self) -> Response:
        """SAML Profiles 4.4.4: end the session that is named and say so, signed."""
        message = self.idp.message()
        wanted = saml_requests.logout_request(
            message, self.idp.service_provider, endpoint=self.idp.logout_url
        )
        destination = self.idp.service_provider.logout_url
        if destination is None:
            abort(400, "The service provider's metadata names no place for the answer.")
        response = self.idp.writer.logout_response(
            request_id=wanted.id,
            destination=destination,
            known=self.idp.end_sessions(wanted),
            now=self.idp.clock.now(),
        )
        return _answer(response, to=destination, relay_state=message.relay_state)

    def _ask(self, request_id: str | None, relay_state: str | None) -> str:
        return render_template(
            "who.html",
            asking=self.idp.service_provider.entity_id,
            action="/sign-in",
            ticket=self.idp.tickets.dumps([request_id, relay_state]),
            person=people.ADA,
            groups=people.GROUPS,
        )

    def _redeem(self, ticket: str) -> tuple[str | None, str | None]:
        try:
            request_id, relay_state = self.idp.tickets.loads(ticket, max_age=_TICKET_SECONDS)
        except BadData:
            abort(400, "This form is too old. Please start again at the application.")
        return request_id, relay_state


def _answer(message: bytes, *, to: str, relay_state: str | None) -> Response:
    fields = {"SAMLResponse": posted(message)}
    if relay_state is not None:
        fields["RelayState"] = relay_state
    return message_form(action=to, fields=fields, to="the broker")


def _refused(error: RequestError) -> tuple[str, int]:
    return render_template("error.html", name="Not answered", reason=str(error)), 400
