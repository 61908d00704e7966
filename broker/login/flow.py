"""The story of one login: begin, resume, complete. Start reading here.

It begins with a valid request of an app, is sent to an identity provider, comes back through the same
browser, becomes a user of the pool, and ends as the answer the app asked for. What the provider speaks
is a connector's business (``ports.Upstream``), what the browser and the app see is the web layer's.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

import msgspec

from broker.login import events
from broker.login.answers import Answers
from broker.login.events import Step
from broker.login.sessions import Sessions
from broker.login.unsolicited import refuse_pkce, unsolicited_provider
from broker.login.users import Users
from broker.model.errors import ErrorCode, Reason, UpstreamError
from broker.model.login import (
    SIGN_IN_SECONDS,
    AuthorizationRequest,
    Callback,
    LoginSession,
    Transaction,
    UpstreamRequest,
)
from broker.model.pool import AppClient, IdentityProvider, ProviderType, UserPool
from broker.model.stored import Kind
from broker.ports import Clock, SingleUseStore, Upstreams

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Transaction).decode

_INVALID_ANSWER = "Invalid samlResponse or relayState from identity provider"


class SignInRefusedError(Exception):
    """A sign-in ended here. ``transaction`` is None when no way back to an app is proven."""

    def __init__(
        self, error: UpstreamError, reference: str, transaction: Transaction | None
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.reference = reference
        self.transaction = transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFlow:
    """Everything one login needs, joined in ``wiring.py``."""

    single_use: SingleUseStore
    """Transactions and codes."""
    upstreams: Upstreams
    users: Users
    sessions: Sessions
    answers: Answers
    clock: Clock

    def begin(
        self,
        pool: UserPool,
        request: AuthorizationRequest,
        provider: str,
        *,
        base_url: str,
        browser: str,
    ) -> UpstreamRequest:
        """Send the browser to ``provider``; what must be remembered is bound to this ``browser``.

        Raises ``SignInRefusedError`` when the provider cannot be used.
        """
        transaction = Transaction(
            id=secrets.token_urlsafe(32),
            pool_id=pool.id,
            provider=provider,
            base_url=base_url,
            request=request,
            created_at=int(self.clock.now()),
        )
        try:
            upstream = self.upstreams.of(pool, provider)
            outgoing = upstream.begin(transaction.id, request, base_url)
        except UpstreamError as error:
            raise self._refused(pool, Step.BEGIN, error, transaction) from error
        self.single_use.put(
            pool.id,
            Kind.TRANSACTION,
            _bound(transaction.id, browser),
            _encode(replace(transaction, remembered=outgoing.remember)),
            lifetime=SIGN_IN_SECONDS,
        )
        return outgoing

    def resume(
        self,
        pool: UserPool,
        transaction_id: str | None,
        browser: str | None,
        *,
        answering: frozenset[ProviderType],
    ) -> Transaction:
        """Take the transaction this delivery answers, once.

        Its id and the browser's binding together are the key: a delivery by another browser finds
        nothing and consumes nothing. Raises ``SignInRefusedError``, without a transaction then.

        ``answering``: the types of provider whose answers arrive where this one did.
        """
        stored = None
        if transaction_id is not None and browser is not None:
            stored = self.single_use.take(
                pool.id, Kind.TRANSACTION, _bound(transaction_id, browser)
            )
        if stored is None:
            raise self._refused(pool, Step.CALLBACK, _unknown(transaction_id, browser), None)
        transaction = _decode(stored)
        provider = pool.providers.get(transaction.provider)
        if provider is not None and provider.type not in answering:
            raise self._refused(pool, Step.CALLBACK, _misplaced(provider), transaction)
        return transaction

    def accept_unsolicited(
        self, pool: UserPool, request: AuthorizationRequest, *, base_url: str
    ) -> Transaction:
        """A sign-in that the identity provider began: no request to answer, no browser to match.

        Raises ``OAuthError`` unless the provider is named and may do so, and no challenge is.
        """
        refuse_pkce(request, pool)
        provider = unsolicited_provider(request.provider, pool)
        return Transaction(
            id="",
            pool_id=pool.id,
            provider=provider.name,
            base_url=base_url,
            request=request,
            created_at=int(self.clock.now()),
            solicited=False,
        )

    def complete(
        self, pool: UserPool, transaction: Transaction, callback: Callback
    ) -> tuple[dict[str, str], LoginSession]:
        """Check the provider's answer and turn it into a user, a session and the app's answer.

        Raises ``SignInRefusedError`` with the transaction, so that the app can be told, and
        ``OAuthError`` when the app may not have the answer it asked for.
        """
        step = Step.IDENTITY
        try:
            client = _client(pool, transaction)
            identity = self.upstreams.of(pool, transaction.provider).complete(callback, transaction)
            step = Step.USER
            provider = pool.providers[transaction.provider]
            user = self.users.signed_in(pool, client, provider, identity)
        except UpstreamError as error:
            raise self._refused(pool, step, error, transaction) from error
        session = self.sessions.new(pool, user, identity)
        answer = self.answers.of(pool, client, transaction.request, session)
        self.sessions.keep(pool, session, identity, answer.code)
        events.signed_in(pool, transaction, session)
        return answer.fields, session

    def answer(
        self,
        pool: UserPool,
        client: AppClient,
        request: AuthorizationRequest,
        session: LoginSession,
    ) -> dict[str, str]:
        """What the app asked for, when the browser is signed in already.

        Raises ``OAuthError`` when the client may not read what its scopes imply.
        """
        answer = self.answers.of(pool, client, request, session)
        if answer.code is not None:
            code = answer.code
            self.single_use.put(pool.id, code.kind, code.key, code.value, lifetime=code.lifetime)
        return answer.fields

    def _refused(
        self, pool: UserPool, step: Step, error: UpstreamError, transaction: Transaction | None
    ) -> SignInRefusedError:
        reference = events.refused(
            pool,
            step,
            error,
            provider=None if transaction is None else transaction.provider,
            client=None if transaction is None else transaction.request.redirect.client_id,
        )
        return SignInRefusedError(error, reference, transaction)


def _bound(transaction_id: str, browser: str) -> str:
    """The key of a transaction. Neither part is of use without the other."""
    return f"{transaction_id}.{browser}"


def _unknown(transaction_id: str | None, browser: str | None) -> UpstreamError:
    missing = "no binding cookie" if browser is None else "an unknown, expired or used one"
    return UpstreamError(
        Reason.TRANSACTION_UNKNOWN,
        _INVALID_ANSWER,
        code=ErrorCode.INVALID_REQUEST,
        expected="RelayState or state of a sign-in this browser began in the last five minutes",
        received="no RelayState or state" if transaction_id is None else missing,
    )


def _misplaced(provider: IdentityProvider) -> UpstreamError:
    """Each protocol has its own endpoint, with its own rules of what a message looks like there."""
    return UpstreamError(
        Reason.ANSWER_MISPLACED,
        _INVALID_ANSWER,
        code=ErrorCode.INVALID_REQUEST,
        expected=f"the answer of a provider of type {provider.type} at the endpoint of that type",
        received="an answer at another protocol's endpoint",
    )


def _client(pool: UserPool, transaction: Transaction) -> AppClient:
    """The app of the transaction, if it still may use the provider: configurations change."""
    client = pool.clients.get(transaction.request.redirect.client_id)
    if client is None or not client.supports(transaction.provider):
        raise UpstreamError(
            Reason.PROVIDER_UNKNOWN,
            "The identity provider is not enabled for this client.",
            code=ErrorCode.INVALID_REQUEST,
            expected="a client that lists the provider",
            received="a client that does not, or not any more",
        )
    return client
