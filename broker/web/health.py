"""What answers on any Host. ``/health``: the process serves; ``/ready``: so do the stores behind it."""

from __future__ import annotations

from broker.login.broker import Broker
from broker.model.errors import StoreUnavailableError
from broker.web import errors
from broker.web.response import Response


def health(broker: Broker) -> Response:
    """Touches nothing: a load balancer must not restart workers because a database is away."""
    return errors.json_response({"status": "ok"})


def ready(broker: Broker) -> Response:
    """503 while a store does not answer, or keys that somebody asked for cannot be had."""
    try:
        for check in broker.readiness:
            check()
    except StoreUnavailableError:
        response = errors.json_response({"status": "unavailable"}, 503)
        response.add_header("Retry-After", "5")
        return response
    return errors.json_response({"status": "ready"})


def no_icon(broker: Broker) -> Response:
    """``/favicon.ico``, which browsers ask for by themselves: the pages bring their own."""
    return errors.empty(204, {})
