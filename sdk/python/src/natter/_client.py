"""The two clients: `Natter` blocks, `AsyncNatter` is awaited. All else about a call is shared, see `_conversation`."""

import asyncio
import platform
import random as random_module
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar

import httpx

from ._conversation import DEFAULT_TIMEOUT, Address, Conversation, Options, Send, converse
from ._operation import Call
from ._retry import Retry
from ._version import VERSION
from .resources import AsyncResources, Resources

if TYPE_CHECKING:
    from .realtime import RealtimeClient, TokenSource

T = TypeVar("T")
H = TypeVar("H", httpx.Client, httpx.AsyncClient)

USER_AGENT: Final = f"natter-python/{VERSION} python/{platform.python_version()} httpx/{httpx.__version__}"
LIMITS: Final = httpx.Limits(
    max_connections=100,
    max_keepalive_connections=20,
    keepalive_expiry=3.0,  # under the server's own 5 s, or a request could meet a connection that is just being closed
)


def _address(url: str) -> str:
    """The app's address without a slash at its end. Raises `ValueError` for what is none."""
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"url is the app's address, as https://chat.example.com, not {url!r}")
    return url.rstrip("/")


def _options(
    credential: str | None,
    url: str,
    timeout: float | httpx.Timeout,
    retry: Retry,
    user_agent: str | None,
    monotonic: Callable[[], float],
    random: Callable[[], float],
) -> Options:
    if credential is not None and credential.startswith("pk_"):
        raise ValueError("a publishable key (pk_…) is for your users' apps; a server needs its secret key (sk_…)")
    return Options(
        address=Address(_address(url)),
        credential=credential,
        user_agent=f"{user_agent} {USER_AGENT}" if user_agent else USER_AGENT,
        timeout=_timeout(timeout),
        retry=retry,
        monotonic=monotonic,
        random=random,
    )


def _timeout(timeout: float | httpx.Timeout) -> httpx.Timeout:
    """A number is for the answer; the connection has 5 s at most."""
    return timeout if isinstance(timeout, httpx.Timeout) else httpx.Timeout(timeout, connect=min(5.0, timeout))


def _changes(timeout: float | httpx.Timeout | None, retry: Retry | None) -> dict[str, Any]:
    given = {"timeout": None if timeout is None else _timeout(timeout), "retry": retry}
    return {name: value for name, value in given.items() if value is not None}


class _Client(Generic[H]):
    """What both clients have: options, a pool of connections, and views of themselves with other options."""

    _http: H
    _options: Options
    _owns: bool
    _sleep: Callable[[float], Any]

    def _view(self, **changes: Any) -> Self:
        view = object.__new__(type(self))
        view._http, view._sleep = self._http, self._sleep
        view._options, view._owns = self._options.with_(**changes), False
        return view

    @property
    def base_url(self) -> str:
        """The app's address. That of a located client changes when the portal has another one after a failure."""
        return self._options.address.url

    def for_user(self, user_id: str) -> Self:
        """The same client acting in a user's name: wherever a route takes `user_id` from a server, it is this one.

        The secret key stays the credential. Where a route does not take `user_id`, the call is the server's own.
        """
        return self._view(acting=user_id)

    def with_token(self, token: str) -> Self:
        """The same client as a user itself, by its access token: it sees and may do what that user may."""
        return self._view(credential=token, acting=None)

    def with_options(self, *, timeout: float | httpx.Timeout | None = None, retry: Retry | None = None) -> Self:
        """The same client, more or less patient: `client.with_options(timeout=2).messages.send(…)`."""
        return self._view(**_changes(timeout, retry))

    def __repr__(self) -> str:
        acting = f", for user {self._options.acting!r}" if self._options.acting else ""
        return f"<{type(self).__name__} of {self.base_url}{acting}>"

    def _request(self, send: Send) -> httpx.Request:
        return self._http.build_request(
            send.method, send.url, headers=dict(send.headers), content=send.content, timeout=send.timeout
        )


class Natter(_Client[httpx.Client], Resources):
    """Natter for a server, blocking.

        with Natter("sk_…", url="https://chat.example.com") as natter:
            natter.users.upsert([{"id": "ada", "name": "Ada"}])
            message = natter.for_user("ada").messages.send("general", text="Hello")

    It is safe to share between threads, and meant to be: make one and keep it. A call that failed is made again where
    that cannot do a thing twice (`retry`). Without a secret key (`None`), `with_token` makes it a user. `timeout` is in
    seconds. `transport`, `sleep`, `monotonic` and `random` are for tests; an `http_client` of your own is used as it is
    and stays open.
    """

    def __init__(
        self,
        secret_key: str | None,
        *,
        url: str,
        timeout: float | httpx.Timeout = DEFAULT_TIMEOUT,
        retry: Retry = Retry(),  # noqa: B008 - frozen
        user_agent: str | None = None,
        http_client: httpx.Client | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        self._options = _options(secret_key, url, timeout, retry, user_agent, monotonic, random)
        self._owns = http_client is None
        self._http = http_client or httpx.Client(limits=LIMITS, transport=transport)
        self._sleep = sleep

    @classmethod
    def locate(cls, secret_key: str | None, *, publishable_key: str, portal: str, **options: Any) -> Self:
        """A client of the address where an app is served now, as the installation's portal says.

        `portal` is the portal's address. Options are those of the class. Raises `NotFound` for an unknown key. After a
        connection that failed the portal is asked anew, because apps can move.
        """
        with cls(None, url=portal, **options) as finder:
            found = finder.apps.locate(publishable_key, portal=portal)
        client = cls(secret_key, url=found.url, **options)
        client._options.address.locator = (publishable_key, portal)
        return client

    def call(self, call: Call[T]) -> T:
        """Make a call that the resources describe, again where that is safe and may help."""
        return self._hold(converse(call, self._options))

    def _hold(self, conversation: Conversation[T]) -> T:
        try:
            step = next(conversation)
            while True:
                if isinstance(step, Send):
                    outcome: httpx.Response | httpx.RequestError
                    try:
                        outcome = self._http.send(self._request(step))
                    except httpx.RequestError as error:
                        outcome = error
                    step = conversation.send(outcome)
                else:
                    self._sleep(step.seconds)
                    step = conversation.send(None)
        except StopIteration as end:
            result: T = end.value
            return result

    def close(self) -> None:
        """Close the connections. A view (`for_user`, …) and a client with an `http_client` of yours leave them open."""
        if self._owns:
            self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class AsyncNatter(_Client[httpx.AsyncClient], AsyncResources):
    """Natter for a server, with asyncio: the same as `Natter`, and every call is awaited.

        async with AsyncNatter("sk_…", url="https://chat.example.com") as natter:
            message = await natter.for_user("ada").messages.send("general", text="Hello")
            async for message in natter.messages.iter("general"):
                print(message.text)

    It belongs to one event loop. Options are those of `Natter`.
    """

    def __init__(
        self,
        secret_key: str | None,
        *,
        url: str,
        timeout: float | httpx.Timeout = DEFAULT_TIMEOUT,
        retry: Retry = Retry(),  # noqa: B008 - frozen
        user_agent: str | None = None,
        http_client: httpx.AsyncClient | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        self._options = _options(secret_key, url, timeout, retry, user_agent, monotonic, random)
        self._owns = http_client is None
        self._http = http_client or httpx.AsyncClient(limits=LIMITS, transport=transport)
        self._sleep = sleep

    @classmethod
    async def locate(cls, secret_key: str | None, *, publishable_key: str, portal: str, **options: Any) -> Self:
        """A client of the address where an app is served now, as the installation's portal says.

        `portal` is the portal's address. Options are those of the class. Raises `NotFound` for an unknown key. After a
        connection that failed the portal is asked anew, because apps can move; `realtime` asks it at each connection.
        """
        async with cls(None, url=portal, **options) as finder:
            found = await finder.apps.locate(publishable_key, portal=portal)
        client = cls(secret_key, url=found.url, **options)
        client._options.address.locator = (publishable_key, portal)
        return client

    async def call(self, call: Call[T]) -> T:
        """Make a call that the resources describe, again where that is safe and may help."""
        return await self._hold(converse(call, self._options))

    async def _hold(self, conversation: Conversation[T]) -> T:
        try:
            step = next(conversation)
            while True:
                if isinstance(step, Send):
                    outcome: httpx.Response | httpx.RequestError
                    try:
                        outcome = await self._http.send(self._request(step))
                    except httpx.RequestError as error:
                        outcome = error
                    step = conversation.send(outcome)
                else:
                    await self._sleep(step.seconds)
                    step = conversation.send(None)
        except StopIteration as end:
            result: T = end.value
            return result

    def realtime(self, token: "TokenSource | None" = None, **options: Any) -> "RealtimeClient":
        """A realtime client for a bot, see `natter.realtime.RealtimeClient`, which has the options.

        Without `token`, a client that acts for a user (`for_user`) makes tokens for it, and one of a user's token
        (`with_token`) connects with that one. Needs `natter-sdk[realtime]`.
        """
        from .realtime import RealtimeClient

        acting, credential = self._options.acting, self._options.credential
        if token is None and acting is not None:

            async def mint() -> str:
                return (await self.tokens.create(acting)).access_token

            token = mint
        elif token is None and credential is not None and not credential.startswith("sk_"):
            token = credential
        if token is None:
            raise ValueError("whose connection? natter.for_user(…).realtime(), or give a token")
        if self._options.address.locator is None:
            return RealtimeClient(self.base_url, token, **options)
        key, portal = self._options.address.locator

        async def find() -> str:
            return (await self.apps.locate(key, portal=portal)).url

        return RealtimeClient(find, token, **{"publishable_key": key, **options})

    async def aclose(self) -> None:
        """Close the connections. A view (`for_user`, …) and a client with an `http_client` of yours leave them open."""
        if self._owns:
            await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()
