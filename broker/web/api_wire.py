"""The wire of the Cognito API (AWS JSON 1.1): what a request holds, what an answer and an error are.

Which operations there are is said in ``token_api.py``; what they do, in the file of their group.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from broker.login.broker import Broker
from broker.model.identifiers import new_uuid
from broker.web.context import Site
from broker.web.response import Response

CONTENT_TYPE = "application/x-amz-json-1.1"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, object]).decode


class ApiError(Exception):
    """A refusal by its Cognito name (``NotAuthorizedException``) and the sentence that goes with it."""

    def __init__(self, name: str, message: str, *, status: int = 400) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True)
class Members:
    """The JSON object of a request; unknown members are let through, as the SDKs grow."""

    values: Mapping[str, object] = field(repr=False)

    @classmethod
    def parse(cls, body: bytes) -> Members:
        """Raises ``ApiError`` for what is no JSON object."""
        try:
            return cls(_decode(body))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ApiError("SerializationException", "The body must be one JSON object.") from error

    def optional(self, name: str) -> str | None:
        """A string member; null and the empty string count as left out."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, str):
            raise ApiError("SerializationException", f"{name} must be a string.")
        return value or None

    def required(self, name: str) -> str:
        value = self.optional(name)
        if value is None:
            raise ApiError(
                "InvalidParameterException",
                f"1 validation error detected: Value null at '{name[0].lower()}{name[1:]}' failed to "
                "satisfy constraint: Member must not be null",
            )
        return value

    def map(self, name: str) -> Members:
        """A member that is a map itself; left out, it is an empty one."""
        value = self.values.get(name)
        if value is None:
            return Members({})
        if not isinstance(value, dict):
            raise ApiError("SerializationException", f"{name} must be a map of strings.")
        return Members(value)


Operation = Callable[[Broker, Site, Members], object]
"""One operation: its answer, or None for an empty body. Raises ``ApiError`` or ``OAuthError``."""


def answer(body: object) -> Response:
    return _response(_encode(body), 200)


def error(refusal: ApiError) -> Response:
    response = _response(
        _encode({"__type": refusal.name, "message": refusal.message}), refusal.status
    )
    response.add_header("x-amzn-ErrorType", refusal.name)
    return response


def _response(body: bytes, status: int) -> Response:
    headers = {
        "Content-Type": CONTENT_TYPE,
        "Cache-Control": "no-store",
        "x-amzn-RequestId": new_uuid(),
    }
    return Response(body, status, headers)
