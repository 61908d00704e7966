"""``/error``: where a request without a proven way back ends. Shows nothing of what it was sent."""

from __future__ import annotations

from flask import Response, request

from broker.login.broker import Broker
from broker.login.events import new_reference
from broker.model.errors import ErrorCode
from broker.web import context, errors
from broker.web.context import Site
from broker.web.pages import PageError

_KINDS = {
    ErrorCode.REDIRECT_MISMATCH.value: PageError.REDIRECT_MISMATCH,
    "Required parameters missing": PageError.PARAMETER_MISSING,
    "Required String parameter 'redirect_uri' is not present": PageError.PARAMETER_MISSING,
}


def error(broker: Broker, site: Site) -> Response:
    """400 always: the query chooses among our own texts, nothing of it is repeated."""
    text = context.query(request).get("error") or ""
    kind = _KINDS.get(text, PageError.BAD_REQUEST)
    return errors.page(kind, status=400, reference=new_reference())
