"""How commands reach Redis: lent connections, scripts, deadlines and failures.

Nothing is ever tried twice: when a reply is lost on the way, a second GETDEL or SET NX would say that a
good login never was, or is a replay. What is kept under which name is the business of ``redis.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha1
from typing import Any

from hiredis import pack_command
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.retry import Retry

from broker.model.errors import ConfigurationError, StoreUnavailableError
from broker.stores.connections import Connections, NoneFreeError

ANSWER_SECONDS = 0.5

_CONNECTIONS = 32
"""Of a process: more than it has threads that answer requests, as a rule."""

_SETTINGS: Mapping[str, Any] = {
    "protocol": 2,
    "decode_responses": False,
    "retry_on_timeout": False,
    "socket_timeout": ANSWER_SECONDS,
    "socket_connect_timeout": ANSWER_SECONDS,
    "health_check_interval": 0,
}
"""Of every connection. A URL could say otherwise, and is refused then."""


class Script:
    """Lua that Redis runs as one step, known to it by its hash after the first time."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.sha = sha1(source.encode(), usedforsecurity=False).hexdigest()


class _Line:
    """One connection. redis-py opens it, and reads and writes the protocol; what its ``Redis`` does
    around that (retries, telemetry, answers in the types of Python) costs more than the question."""

    def __init__(self, redis: Redis) -> None:
        pool = redis.connection_pool
        self._connection = pool.connection_class(**pool.connection_kwargs)
        self._connection.connect()

    def ask(self, *words: str | bytes | int) -> Any:
        """The answer as it came. Raises ``RedisError``; after any but a ``ResponseError``, which is an
        answer too, nobody knows what the next one would belong to."""
        packed = pack_command(words)  # type: ignore[arg-type]  # the stub means a tuple of one
        self._connection.send_packed_command([packed], check_health=False)
        return self._connection.read_response()

    def is_quiet(self) -> bool:
        """An idle connection has nothing to say; otherwise it was closed, or is out of step."""
        try:
            return not self._connection.can_read()
        except (RedisError, OSError):
            return False

    def close(self) -> None:
        self._connection.disconnect()


class RedisClient:
    """The connections, and the one place where errors become ``StoreUnavailableError``."""

    def __init__(self, redis: Redis) -> None:
        self._lines = Connections(
            lambda: _Line(redis),
            at_most=_CONNECTIONS,
            patience=ANSWER_SECONDS,
            is_good=_Line.is_quiet,
        )

    def command(self, *words: str | bytes | int) -> Any:
        try:
            return self._ask(*words)
        except (RedisError, OSError, NoneFreeError) as error:
            raise StoreUnavailableError(f"redis: {error}") from error

    def run(self, script: Script, keys: tuple[str, ...], *arguments: str | bytes | int) -> Any:
        try:
            try:
                return self._ask("EVALSHA", script.sha, len(keys), *keys, *arguments)
            except NoScriptError:  # nothing ran: a new or restarted server
                return self._ask("EVAL", script.source, len(keys), *keys, *arguments)
        except (RedisError, OSError, NoneFreeError) as error:
            raise StoreUnavailableError(f"redis: {error}") from error

    def _ask(self, *words: str | bytes | int) -> Any:
        line = self._lines.take()
        try:
            answer = line.ask(*words)
        except ResponseError:
            self._lines.give_back(line)
            raise
        except BaseException:
            self._lines.discard(line)
            raise
        self._lines.give_back(line)
        return answer

    def close(self) -> None:
        self._lines.close()


def connect(url: str) -> Redis:
    """A client that answers or fails within ``ANSWER_SECONDS``, and asks once. Opens nothing yet.

    Raises ``ConfigurationError`` for a URL, or an option in it, that there is not.
    """
    try:
        redis = Redis.from_url(url, retry=Retry(NoBackoff(), 0), **_SETTINGS)
        pool = redis.connection_pool
        pool.connection_class(**pool.connection_kwargs)  # which knows what options there are
    except ValueError as error:
        raise _fault(str(error)) from error
    except TypeError as error:
        raise _fault(f"an option that there is not ({error})") from error
    for name, value in _SETTINGS.items():
        if pool.connection_kwargs.get(name) != value:
            raise _fault(f"{name} is not for the URL to say; leave it out")
    return redis


def _fault(problem: str) -> ConfigurationError:
    return ConfigurationError((f"BROKER_REDIS_URL: {problem}",))
