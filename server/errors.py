"""What the server answers when it does not do what it was asked; each error is one status."""

from __future__ import annotations

from renzheng.errors import RenzhengError


class ServerError(RenzhengError):
    """Base of the server's own errors. ``field`` names what of the request is meant, with dots and indexes."""

    status = 500

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class NotFound(ServerError):
    """There is no such thing, or it lies outside the asker's district; the two are not told apart."""

    status = 404


class Forbidden(ServerError):
    """The asker's role does not allow it."""

    status = 403


class NotLoggedIn(ServerError):
    """Nobody is logged in, or a box's token is not known or was revoked."""

    status = 401


class Conflict(ServerError):
    """It contradicts what is there already."""

    status = 409


class Unacceptable(ServerError):
    """A field does not say what it should."""

    status = 422


class TooLarge(ServerError):
    """More than is taken at once."""

    status = 413


class TooMany(ServerError):
    """Asked too often; ``retry_after_s`` says when to come again."""

    status = 429

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Unavailable(ServerError):
    """Database or store do not answer now, or have no room; nothing was kept of the request."""

    status = 503
