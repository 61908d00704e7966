"""Where a refusal lands: a redirect to the app, a page, or JSON.

Rules raise what is wrong (``OAuthError``, ``UpstreamError``); whether the way back to an app is proven,
and what kind of caller is asking, decides the form. That of the Cognito API is in ``api_wire.py``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import msgspec
from werkzeug.exceptions import HTTPException

from broker.login.events import new_reference
from broker.login.flow import SignInRefusedError
from broker.login.sign_out import SignOutRefusedError
from broker.model.errors import ErrorCode, OAuthError, Reason, RequestReason, StoreUnavailableError
from broker.model.identifiers import new_uuid
from broker.model.login import ClientRedirect, ResponseMode
from broker.web import api_wire, pages
from broker.web.api_wire import ApiError
from broker.web.language import language_of
from broker.web.mounts import ErrorForm, Mounts
from broker.web.pages import PageError, Purpose
from broker.web.request import Request
from broker.web.response import Response

_log = logging.getLogger("broker.web")
_encode = msgspec.json.Encoder().encode

_ADVICE = {
    400: "The body could not be read; send one form with at most 200 fields.",
    404: "There is no such document; look below the pool id.",
    405: "The method is not allowed here; see the Allow header.",
    413: "The body is too large.",
    415: "Send the parameters as application/x-www-form-urlencoded in the body.",
    421: "No user pool is served at this host; use the pool's domain.",
}
"""What the developer of an app has to change, for callers who read JSON."""

_ASCII = "".join(map(chr, range(0x21, 0x7F)))
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
BASIC_CHALLENGE = 'Basic realm="token"'

_STATUS_PAGES = {
    404: PageError.NOT_FOUND,
    405: PageError.METHOD_NOT_ALLOWED,
    413: PageError.TOO_LARGE,
    421: PageError.NOT_FOUND,
    500: PageError.UNEXPECTED,
    503: PageError.UNAVAILABLE,
}


def empty(status: int, headers: Mapping[str, str] = NO_STORE) -> Response:
    """An answer without a body, and so without a Content-Type."""
    return Response(status=status, headers=headers)


def redirect(location: str, status: int = 302) -> Response:
    """To a location that was checked; no cache keeps it, for it may hold a code."""
    return empty(status, {**NO_STORE, "Location": quote(location, safe=_ASCII)})


def json_response(body: object, status: int = 200) -> Response:
    """JSON that no cache keeps (RFC 6749 5.1)."""
    headers = {
        **NO_STORE,
        "Content-Type": "application/json;charset=UTF-8",
        "x-amz-cognito-request-id": new_uuid(),
    }
    return Response(_encode(body), status, headers)


def json_error(request: Request, error: OAuthError, status: int = 400) -> Response:
    """RFC 6749 5.2."""
    _log_refusal(request, error)
    return _json_error(error.code, error.description, status)


def _json_error(code: ErrorCode, description: str, status: int) -> Response:
    told = {"error_description": description} if description else {}
    return json_response({"error": code.value, **told}, status)


def _log_refusal(request: Request, error: OAuthError) -> None:
    """The wire has one text for several faults; ``reason`` tells whoever runs this which it was."""
    _log.info(
        "request_refused",
        extra={"path": request.path, "error": error.code.value, "reason": error.reason.value},
    )


def to_app(request: Request, back: ClientRedirect, answer: dict[str, str]) -> Response:
    """Answer the app at its proven redirect URI: 302, or a form that posts itself."""
    if back.mode is ResponseMode.FORM_POST:
        return pages.form_post_page(
            back.uri,
            back.fields(**answer),
            purpose=Purpose.APPLICATION,
            lang=language_of(request),
        )
    return redirect(back.url(**answer))


def error_to_app(
    request: Request, back: ClientRedirect, code: ErrorCode, description: str
) -> Response:
    """RFC 6749 4.1.2.1 and 4.2.2.1, with ``state`` and ``iss``."""
    answer = {"error_description": description} if description else {}
    return to_app(request, back, {**answer, "error": code.value})


def refused_to_app(request: Request, back: ClientRedirect, error: OAuthError) -> Response:
    """A rule of OAuth is broken and the way back is proven: the app is told which."""
    _log_refusal(request, error)
    return error_to_app(request, back, error.code, error.description)


def refused_request(request: Request, error: OAuthError, client_id: str | None) -> Response:
    """No way back is proven: off to ``/error``, never to the URI in the request."""
    _log_refusal(request, error)
    text = error.code.value
    if error.code is not ErrorCode.REDIRECT_MISMATCH:
        text = error.description
    query = {"error": text} | ({} if client_id is None else {"client_id": client_id})
    return redirect(f"/error?{urlencode(query, errors='surrogateescape')}")


def page(
    request: Request, kind: PageError, *, status: int, reference: str | None = None
) -> Response:
    """An error page in the language of the request."""
    lang = language_of(request)
    return pages.error_page(kind=kind, status=status, reference=reference, lang=lang)


def refused_sign_in(request: Request, refusal: SignInRefusedError) -> Response:
    """The app is told in the contract's words; without an app, a page with the reference id."""
    error, transaction = refusal.error, refusal.transaction
    if transaction is not None:
        return error_to_app(request, transaction.request.redirect, error.code, error.public)
    kind = PageError.SIGN_IN_UNKNOWN
    if error.reason in (Reason.PARAMETER_MISSING, Reason.PARAMETER_REPEATED):
        kind = PageError.INVALID_ANSWER
    return page(request, kind, status=400, reference=refusal.reference)


def refused_sign_out(request: Request, refusal: SignOutRefusedError) -> Response:
    """Nobody is sent on, for the message that would say where to was refused."""
    return page(request, PageError.SIGN_OUT_REFUSED, status=400, reference=refusal.reference)


def refused_logout_token() -> Response:
    """Back-Channel Logout 1.0 2.8. Which rule was broken is in the log already, not for the sender."""
    return _json_error(ErrorCode.INVALID_REQUEST, "One valid logout_token is needed.", 400)


@dataclass(frozen=True, slots=True)
class Landing:
    """Errors that no endpoint caught, in the form of the endpoint that the request was for."""

    mounts: Mounts

    def of(self, request: Request, error: Exception) -> Response:
        try:
            return self._of(request, error)
        except Exception as fault:  # noqa: BLE001  # ours too; nothing is left that could be said
            _log.error("unexpected_error", extra={"path": request.path}, exc_info=fault)
            return empty(500)

    def _of(self, request: Request, error: Exception) -> Response:
        match error:
            case HTTPException():
                return self._http_error(request, error)
            case StoreUnavailableError():
                return self._store_unavailable(request, error)
            case _:
                return self._unexpected(request, error)

    def _http_error(self, request: Request, error: HTTPException) -> Response:
        """404, 405, 413 and kin, raised by an endpoint or before one was reached."""
        status = error.code or 500
        response = self._refused(request, status, _ADVICE.get(status, error.name))
        for name, value in error.get_headers():
            if name in ("Allow", "Retry-After"):
                response.add_header(name, value)
        return response

    def _store_unavailable(self, request: Request, error: StoreUnavailableError) -> Response:
        """Fail closed, say so, and say when to come back."""
        code = ErrorCode.TEMPORARILY_UNAVAILABLE
        response = self._fault(request, "store_unavailable", 503, code, error)
        response.add_header("Retry-After", "5")
        return response

    def _unexpected(self, request: Request, error: Exception) -> Response:
        """A fault of ours: the trace goes to the log, whoever asked gets the reference."""
        return self._fault(request, "unexpected_error", 500, ErrorCode.SERVER_ERROR, error)

    def _refused(self, request: Request, status: int, advice: str) -> Response:
        match self._form(request):
            case ErrorForm.API:
                return api_wire.error(ApiError("InvalidParameterException", advice, status=status))
            case ErrorForm.JSON:
                error = OAuthError(
                    ErrorCode.INVALID_REQUEST, advice, reason=RequestReason.INVALID_REQUEST
                )
                return json_error(request, error, status)
            case ErrorForm.PAGE:
                kind = _STATUS_PAGES.get(status, PageError.BAD_REQUEST)
                return page(request, kind, status=status)

    def _fault(
        self, request: Request, event: str, status: int, code: ErrorCode, error: Exception
    ) -> Response:
        reference = new_reference()
        _log.error(event, extra={"reference": reference, "path": request.path}, exc_info=error)
        match self._form(request):
            case ErrorForm.API:
                return api_wire.error(ApiError("InternalErrorException", reference, status=status))
            case ErrorForm.JSON:
                return _json_error(code, reference, status)
            case ErrorForm.PAGE:
                return page(request, _STATUS_PAGES[status], status=status, reference=reference)

    def _form(self, request: Request) -> ErrorForm:
        """Where nothing is served, a person has followed a link that is wrong."""
        row = self.mounts.at(request.path)
        return ErrorForm.PAGE if row is None else row.errors
