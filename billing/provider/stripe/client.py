"""Stripe's API: plain dictionaries out, three kinds of failure.

`ProviderAway`: no answer, or one that says "later": the same call with the same idempotency key may be made again.
`PaymentRefused`: a card was refused. `StripeRefused`: the request is wrong, and will be wrong again.
"""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import stripe

from billing.provider.port import PaymentRefused, ProviderAway
from kernel.errors import NatterError
from kernel.logging import get_logger
from kernel.settings import Settings

PATIENCE: Final = 30.0
"""Seconds that the worker waits for an answer."""
HASTE: Final = 8.0
"""Seconds that a person who has clicked waits at most for one."""

Object = dict[str, Any]

_log = get_logger(__name__)


class StripeRefused(NatterError):
    """Stripe says that the request is wrong. `code` is Stripe's, `param` the field that it names."""

    code = "stripe_refused"
    status = 502
    title = "Stripe refused the request"

    def __init__(self, message: str, *, reason: str | None = None, param: str | None = None, status: int = 400) -> None:
        super().__init__(message, reason=reason, param=param)
        self.reason = reason
        self.param = param
        self.answered = status

    @property
    def missing(self) -> bool:
        """There is no such object."""
        return self.reason == "resource_missing" or self.answered == 404

    @property
    def there_already(self) -> bool:
        """There is one with that id or identifier."""
        return self.reason == "resource_already_exists" or "already exists" in self.message


class _Http(stripe.HTTPXClient):
    """The library hands a body over in a way that httpx will do without one day, and warns of."""

    def _get_request_args_kwargs(self, *given: Any) -> Any:
        args, kwargs = super()._get_request_args_kwargs(*given)
        kwargs["content"] = kwargs.pop("data") or None
        return args, kwargs


class StripeApi:
    """One client for one account. `seconds`: how long to wait for an answer."""

    def __init__(self, settings: Settings, *, seconds: float) -> None:
        settings.require("stripe_secret_key")
        addresses: Any = {"api": settings.stripe_api_url.rstrip("/")} if settings.stripe_api_url else None
        self._http = _Http(timeout=seconds)
        self._client = stripe.StripeClient(
            settings.stripe_secret_key,
            base_addresses=addresses,
            http_client=self._http,
            # Whoever calls has a row that brings the call back; the library's own tries would hold a person up.
            max_network_retries=0,
        )
        self.answers = 0
        """How often Stripe has said something, be it a refusal."""

    @property
    def v1(self) -> Any:
        """The library's services. Their parameters are checked by Stripe, and in tests by the simulator."""
        return self._client.v1

    async def call(
        self, service: Callable[..., Awaitable[Any]], *path: str, key: str | None = None, **params: Any
    ) -> Object:
        """One request. Raises `ProviderAway`, `PaymentRefused`, `StripeRefused`.

        `key`, with what is asked for, is its idempotency key: the same call again does nothing new, and one that asks
        for something else meanwhile, as a level does, is not refused for it.
        """
        options: dict[str, str] = {}
        if key is not None:
            asked = hashlib.sha256(msgspec.json.encode((path, params), order="sorted")).hexdigest()[:16]
            options["idempotency_key"] = f"{key}-{asked}"
        arguments: dict[str, Any] = {"options": options} if options else {}
        if params:
            arguments["params"] = params
        try:
            answer = await service(*path, **arguments)
            self.answers += 1
        except (stripe.APIConnectionError, stripe.RateLimitError) as error:
            raise ProviderAway from error
        except stripe.CardError as error:
            self.answers += 1
            raise PaymentRefused(error.user_message or str(error)) from error
        except (stripe.InvalidRequestError, stripe.IdempotencyError) as error:
            self.answers += 1
            # 409: another call with this key is under way.
            if error.http_status == 409 and error.code != "resource_already_exists":
                raise ProviderAway from error
            raise _refused(error) from error
        except stripe.StripeError as error:
            if error.http_status is None or error.http_status >= 500 or error.http_status == 409:
                raise ProviderAway from error
            raise _refused(error) from error
        made: Object = answer.to_dict(for_json=True)
        return made

    async def every(
        self, service: Callable[..., Awaitable[Any]], *path: str, most: int = 10_000, **params: Any
    ) -> AsyncIterator[Object]:
        """All of a list, page by page."""
        params.setdefault("limit", 100)
        seen = 0
        while True:
            page = await self.call(service, *path, **params)
            for each in page["data"]:
                yield each
            seen += len(page["data"])
            if not page["has_more"] or not page["data"] or seen >= most:
                return
            params["starting_after"] = page["data"][-1]["id"]

    async def close(self) -> None:
        """Close its connections."""
        await self._http.close_async()  # type: ignore[no-untyped-call]


def _refused(error: stripe.StripeError) -> StripeRefused:
    param = getattr(error, "param", None)
    return StripeRefused(
        error.user_message or str(error), reason=error.code, param=param, status=error.http_status or 400
    )


def moment(seconds: int | None) -> datetime | None:
    """Stripe's seconds as a time."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def seconds(at: datetime) -> int:
    """A time as Stripe's seconds."""
    return int(at.timestamp())
