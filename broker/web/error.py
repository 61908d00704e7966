"""``/error``: where a request without a proven way back ends. Shows nothing of what it was sent."""

from __future__ import annotations

import logging

from broker.login.broker import Broker
from broker.login.events import new_reference
from broker.model.errors import ErrorCode
from broker.web import context, errors
from broker.web.context import Site
from broker.web.pages import PageError
from broker.web.request import Request
from broker.web.response import Response

_log = logging.getLogger("broker.web")

_KINDS = {
    ErrorCode.REDIRECT_MISMATCH.value: PageError.REDIRECT_MISMATCH,
    "Required parameters missing": PageError.PARAMETER_MISSING,
    "Required String parameter 'redirect_uri' is not present": PageError.PARAMETER_MISSING,
}


def error(request: Request, broker: Broker, site: Site) -> Response:
    """400 always: the query chooses among our own texts, nothing of it is repeated.

    The reference leads to this event; the rule that was broken is in the ``request_refused`` before it.
    """
    text = context.query(request).get("error") or ""
    kind, reference = _KINDS.get(text, PageError.BAD_REQUEST), new_reference()
    _log.info("error_page", extra={"reference": reference, "page": kind.value})
    return errors.page(request, kind, status=400, reference=reference)
