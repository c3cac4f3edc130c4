"""What a client raises: an answer that is no success, with its value as the description types it."""

from __future__ import annotations

from typing import Generic, TypeVar

import httpx

T = TypeVar("T")


class ApiError(Exception, Generic[T]):
    """An answer that is declared, but no success.

    status: of the answer.  value: its content, of the declared type.  response: the answer itself.
    """

    def __init__(self, response: httpx.Response, value: T) -> None:
        self.status = response.status_code
        self.value = value
        self.response = response
        super().__init__(f"{self.status} {response.reason_phrase} of {response.request.method} {response.request.url}")


class UnexpectedAnswer(ApiError[bytes]):
    """An answer that the description does not declare, or whose content is not as declared; `reason` says which."""

    def __init__(self, response: httpx.Response, reason: str) -> None:
        super().__init__(response, response.content)
        self.reason = reason
        self.args = (f"{self.args[0]}: {reason}",)
