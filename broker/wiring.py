"""Joins the parts: the only file that says which concrete stores and providers serve.

"Which one runs?" is answered here; whether it can is asked in ``installation.py``. To add a provider
type, write its file in ``upstream/`` and give it a line in ``_connectors``.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from broker.login.accounts import Accounts
from broker.login.answers import Answers
from broker.login.broker import Broker, Grant
from broker.login.flow import LoginFlow
from broker.login.links import Links
from broker.login.sessions import Sessions
from broker.login.sign_out import ProviderSignOut, SignOut
from broker.login.users import Users
from broker.model.pool import IdentityProvider, ProviderType, UserPool
from broker.oauth.access_token import AccessTokens
from broker.oauth.authorization_code import AuthorizationCodeGrant
from broker.oauth.client_credentials import ClientCredentialsGrant
from broker.oauth.issuer import Issuers
from broker.oauth.refresh_token import RefreshTokenGrant, RefreshTokens
from broker.ports import (
    Clock,
    ExpectedLinks,
    KeyStore,
    ReplayGuard,
    SessionStore,
    SharedDocuments,
    SingleUseStore,
    Upstream,
    Upstreams,
    UserDirectory,
)
from broker.settings import Settings
from broker.stores.directory import SqlDirectory
from broker.stores.documents import SqlDocuments
from broker.stores.engine import make_engine
from broker.stores.expected_links import SqlExpectedLinks
from broker.stores.forgetful import ForgetfulReplayGuard
from broker.stores.grants import SqlGrants
from broker.stores.keys import FileKeyStore
from broker.stores.redis import RedisState
from broker.stores.sql_state import SqlState
from broker.upstream import (
    amazon,
    apple,
    facebook,
    github,
    google,
    microsoft,
    oidc,
)
from broker.upstream.http import HttpClient
from broker.upstream.provider_logouts import OidcLogouts, SamlLogouts
from broker.upstream.registry import Connect, ConnectorRegistry, OAuthConnector
from broker.upstream.saml import SamlUpstream
from broker.upstream.saml_fetch import MetadataFetch
from broker.upstream.saml_metadata import SamlMetadata
from broker.upstream.saml_service_provider import ServiceProviderDocuments
from broker.upstream.saml_sharing import Machines, NoOtherMachines, SharingMachines


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        return time.time()


def build(
    settings: Settings,
    *,
    clock: Clock | None = None,
    keys: FileKeyStore | None = None,
    renew_since: float = 0.0,
) -> Broker:
    """A broker over the stores the settings name. Build it in the process that uses it.

    ``keys`` may have been read already. ``renew_since`` (epoch seconds) is when somebody asked for
    everything to be read again: metadata that was fetched before is fetched anew.
    """
    clock = clock or SystemClock()
    keys = keys or FileKeyStore(settings.certs_dir, clock=clock)
    stores = _stores(settings, clock, keys)
    issuers = Issuers(keys=stores.keys, clock=clock)
    refresh_tokens = RefreshTokens(store=stores.grants, clock=clock)
    refresh_grant = RefreshTokenGrant(
        refresh_tokens=refresh_tokens, store=stores.grants, clock=clock
    )
    sessions = Sessions(store=stores.sessions, directory=stores.directory, clock=clock)
    http = HttpClient()
    metadata = SamlMetadata(
        fetch=MetadataFetch(http=http),
        directory=settings.state_dir / "metadata",
        clock=clock,
        since=renew_since,
        machines=_machines(stores, clock),
    )
    metadata.watch(settings.pools.values())
    upstreams = ConnectorRegistry(
        connectors=_connectors(stores.keys, stores.replay, clock, http, metadata)
    )
    accounts = Accounts(
        directory=stores.directory,
        refresh_tokens=stores.grants,
        sessions=stores.sessions,
        clock=clock,
    )
    flow = LoginFlow(
        single_use=stores.single_use,
        upstreams=upstreams,
        users=Users(directory=stores.directory, links=stores.links, clock=clock),
        sessions=sessions,
        answers=Answers(issuers=issuers, directory=stores.directory, clock=clock),
        clock=clock,
    )
    return Broker(
        pools=settings.pools,
        flow=flow,
        sessions=sessions,
        sign_out=SignOut(sessions=sessions, pending=stores.single_use, upstreams=upstreams),
        provider_sign_out=ProviderSignOut(
            sessions=stores.sessions, directory=stores.directory, accounts=accounts
        ),
        saml_logouts=SamlLogouts(upstreams=upstreams, metadata=metadata),
        oidc_logouts=OidcLogouts(
            upstreams=upstreams, replay=stores.replay, named=stores.single_use
        ),
        issuers=issuers,
        grants=_grants(stores, refresh_tokens, refresh_grant, clock),
        refresh_grant=refresh_grant,
        refresh_tokens=refresh_tokens,
        access_tokens=AccessTokens(issuers=issuers, families=stores.grants),
        accounts=accounts,
        links=Links(
            directory=stores.directory,
            expected=stores.links,
            sessions=stores.sessions,
            accounts=accounts,
            clock=clock,
        ),
        directory=stores.directory,
        clock=clock,
        service_provider_metadata=ServiceProviderDocuments(keys=stores.keys),
        upkeep={"metadata": metadata.upkeep, **stores.sweeps},
        readiness=stores.readiness,
        proxy_hops=settings.proxy_hops,
        close=partial(_call_all, stores.close, http.close),
    )


@contextmanager
def connectors(settings: Settings, *, anew: bool) -> Iterator[Upstreams]:
    """The connectors alone, to look with: no store is opened, no key made, no file left behind.

    ``anew``: metadata that has a URL is fetched, however new the copy that is here. Whatever needs a
    key raises ``StoreUnavailableError`` where there is none.
    """
    clock, http = SystemClock(), HttpClient()
    with TemporaryDirectory(prefix="broker-") as folder:
        copies = Path(folder, "metadata")
        with suppress(OSError):  # none, or not for this user to read
            shutil.copytree(settings.state_dir / "metadata", copies)
        metadata = SamlMetadata(
            fetch=MetadataFetch(http=http),
            directory=copies,
            clock=clock,
            since=clock.now() if anew else 0.0,
            later=_at_once,
        )
        metadata.watch(settings.pools.values())
        keys = FileKeyStore(settings.certs_dir, clock=clock, read_only=True)
        found = _connectors(keys, ForgetfulReplayGuard(), clock, http, metadata)
        try:
            yield ConnectorRegistry(connectors=found)
        finally:
            http.close()


def _at_once(work: Callable[[], None]) -> None:
    """Nothing may go on behind the back of a command that is about to end."""
    work()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stores:
    single_use: SingleUseStore
    replay: ReplayGuard
    sessions: SessionStore
    grants: SqlGrants
    directory: UserDirectory
    links: ExpectedLinks
    documents: SharedDocuments | None
    """None: no other machine uses the database."""
    keys: KeyStore
    readiness: tuple[Callable[[], None], ...]
    sweeps: Mapping[str, Callable[[], object]]
    """What removes expired rows. Redis forgets by itself."""
    close: Callable[[], None]


def _stores(settings: Settings, clock: Clock, keys: FileKeyStore) -> _Stores:
    """Redis for what lives for minutes when it is configured, else the database for all."""
    engine = make_engine(settings.database_url)
    grants = SqlGrants(engine, clock=clock)
    sweeps: dict[str, Callable[[], object]] = {"grants": grants.sweep}
    state: SqlState | RedisState
    if settings.redis_url is None:
        state = SqlState(engine, clock=clock)
        sweeps["state"] = state.sweep
    else:
        state = RedisState(settings.redis_url, clock=clock)
    return _Stores(
        single_use=state.single_use,
        replay=state.replay,
        sessions=state.sessions,
        grants=grants,
        directory=SqlDirectory(engine),
        links=SqlExpectedLinks(engine),
        documents=SqlDocuments(engine) if engine.is_server else None,
        keys=keys,
        readiness=(engine.ping, state.ping, keys.ping),
        sweeps=sweeps,
        close=partial(_call_all, state.close, engine.dispose),
    )


def _call_all(*each: Callable[[], None]) -> None:
    """Also those behind one that fails."""
    with ExitStack() as stack:
        for call in reversed(each):
            stack.callback(call)


def _machines(stores: _Stores, clock: Clock) -> Machines:
    """Machines share what they share a database server for."""
    if stores.documents is None:
        return NoOtherMachines()
    return SharingMachines(documents=stores.documents, replay=stores.replay, clock=clock)


def _grants(
    stores: _Stores, refresh_tokens: RefreshTokens, refresh_grant: RefreshTokenGrant, clock: Clock
) -> Mapping[str, Grant]:
    """``grant_type`` -> what decides it."""
    return {
        "authorization_code": AuthorizationCodeGrant(
            codes=stores.single_use,
            refresh_tokens=refresh_tokens,
            directory=stores.directory,
        ),
        "refresh_token": refresh_grant,
        "client_credentials": ClientCredentialsGrant(clock=clock),
    }


def _connectors(
    keys: KeyStore, replay: ReplayGuard, clock: Clock, http: HttpClient, metadata: SamlMetadata
) -> Mapping[ProviderType, Connect]:
    """Provider type -> its connector, one line each."""

    def saml(pool: UserPool, provider: IdentityProvider) -> Upstream:
        return SamlUpstream(
            pool=pool,
            provider=provider,
            metadata=metadata,
            keys=keys,
            replay=replay,
            clock=clock,
        )

    def over_http(connector: OAuthConnector) -> Connect:
        # A connector puts a circuit breaker of its own before its calls, discovery excepted: a dead
        # provider must neither slow the others nor keep the browser from being sent to it.
        return lambda pool, provider: connector(pool, provider, http=http, clock=clock)

    return {
        ProviderType.SAML: saml,
        ProviderType.OIDC: over_http(oidc.connector),
        ProviderType.GOOGLE: over_http(google.connector),
        ProviderType.FACEBOOK: over_http(facebook.connector),
        ProviderType.AMAZON: over_http(amazon.connector),
        ProviderType.APPLE: over_http(apple.connector),
        ProviderType.MICROSOFT: over_http(microsoft.connector),
        ProviderType.GITHUB: over_http(github.connector),
    }
