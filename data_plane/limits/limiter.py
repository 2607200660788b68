"""Judges from the node's memory, settles with Redis in the background.

A bucket here is the node's view of the one in Redis: what Redis last said, and what this node has let pass since. A
request is judged by that view and waits for nobody, unless `slack` units wait to be settled: then it waits for the
settlement that is on its way. So what all nodes let pass in a time t is at most `burst + rate·t + (nodes − 1)·slack`,
and one node alone never lets more than `burst + rate·t` pass. While Redis is away each node goes by its own view.
"""

import asyncio
import random
from collections.abc import Sequence
from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge

from data_plane.limits.policies import (
    MESSAGES_SLOW,
    POLICIES,
    REQUESTS,
    VISITORS_APP,
    VISITORS_IP,
    AppLimits,
    Group,
    Policy,
    limits_of,
    slack_of,
)
from data_plane.limits.store import Ask, Away, BucketStore, Told
from data_plane.limits.turns import Turns
from kernel.clock import Clock
from kernel.contracts import AppSnapshot
from kernel.errors import RateLimited, Unavailable
from kernel.gcra import SECOND, Rate, remaining, seconds, take
from kernel.logging import get_logger

PERIOD: Final = 0.1
"""Seconds between settlements, when none is waited for."""
SWEEP: Final = 10.0
MOST_SECONDS_HELD: Final = 2.0
"""Refusals of one bucket leave ten a second, each held back so long at most. It slows who sends on at once to what
costs little, and the wait that a refusal tells of is over by then or nearly so. Each is held for half of its time at
least and the rest by chance: thousands that are held equally long come back in one moment, again and again."""
MOST_HELD: Final = 10_000
_POLITE: Final = Rate(SECOND // 10, 20)
"""Refusals of one bucket that are answered at once."""

_log = get_logger(__name__)


class Bucket:
    """One subject's standing under one policy, as this node sees it. Times are microseconds of the monotonic clock."""

    __slots__ = ("debt", "dirty", "key", "policy", "rate", "refusals", "slack", "tag", "tat", "waiting")

    def __init__(self, policy: Policy, rate: Rate, tag: str, key: str) -> None:
        self.policy = policy
        self.tag = tag
        self.key = key
        self.tat = 0
        self.debt = 0
        """Units that passed and that Redis has not heard of; negative when some were given back."""
        self.dirty = False
        self.waiting = 0
        """Requests that wait for a settlement; later ones queue behind them."""
        self.refusals = 0
        self.set_rate(rate)

    def set_rate(self, rate: Rate) -> None:
        """The plan has changed."""
        self.rate = rate
        self.slack = slack_of(rate)


class Standing(NamedTuple):
    """What a caller is told of one policy. `reset`: seconds until all of the quota is there again."""

    policy: Policy
    rate: Rate
    remaining: int
    reset: int


class Limiter:
    """The limits of one node. `run` must be running for nodes to count together."""

    def __init__(self, store: BucketStore, clock: Clock, registry: CollectorRegistry) -> None:
        self._store = store
        self._clock = clock
        self.address_rates = {policy.name: policy.rate for policy in POLICIES if policy.key == "ip"}
        """The rates of addresses, which belong to no plan."""
        self._apps: dict[str, AppLimits] = {}
        self._buckets: dict[tuple[str, str, str], Bucket] = {}
        self._together: dict[tuple[Group, str, str | None], list[Bucket]] = {}
        """What `buckets` has found, until a bucket is dropped or a rate changes."""
        self._dirty: list[Bucket] = []
        self._wake = asyncio.Event()
        self._urgent = asyncio.Event()
        self._round: asyncio.Future[None] | None = None
        self.turns = Turns(clock.monotonic)
        self._held = 0
        self._swept_at = 0
        self.away = False
        """Whether Redis did not answer when it was last asked."""
        self._refused = Counter(
            "natter_limit_refusals", "Requests and events refused by a rate limit.", ["policy"], registry=registry
        )
        Gauge("natter_limits_away", "1 while nodes limit each for itself.", registry=registry).set_function(
            lambda: int(self.away)
        )
        Gauge("natter_limit_buckets", "Buckets in memory.", registry=registry).set_function(lambda: len(self._buckets))

    # -- buckets -----------------------------------------------------------------------------------------------------

    def limits_of(self, app: AppSnapshot) -> AppLimits:
        """The app's rates. A caller may still hold an older snapshot than `app_changed` has told."""
        known = self._apps.get(app.app_id)
        return known if known is not None else self.app_changed(app)

    def app_changed(self, app: AppSnapshot) -> AppLimits:
        """Go by this snapshot from now on."""
        limits = self._apps[app.app_id] = limits_of(app)
        self._together.clear()
        return limits

    def bucket(self, app: AppSnapshot, policy: Policy, subject: str = "") -> Bucket:
        """A user's, a channel's or (without a subject) the app's bucket."""
        rate = self.limits_of(app).rates[policy.name]
        bucket = self._buckets.get((app.app_id, policy.name, subject))
        if bucket is None:
            bucket = Bucket(policy, rate, app.app_id, f"{policy.name}:{subject}")
            self._buckets[app.app_id, policy.name, subject] = bucket
        elif bucket.rate is not rate:
            bucket.set_rate(rate)
        return bucket

    def slow_bucket(self, app: AppSnapshot, channel_id: str, user_id: str, wait: int) -> Bucket:
        """A member's bucket in a slow channel, where it waits so many seconds between two messages."""
        rate, subject = Rate(wait * SECOND, 1), f"{channel_id}/{user_id}"
        key = (app.app_id, MESSAGES_SLOW.name, subject)
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(MESSAGES_SLOW, rate, app.app_id, f"{MESSAGES_SLOW.name}:{subject}")
        elif bucket.rate != rate:
            bucket.set_rate(rate)
        return bucket

    def address_bucket(self, policy: Policy, address: str) -> Bucket:
        """An address's bucket."""
        rate = self.address_rates[policy.name]
        bucket = self._buckets.get((address, policy.name, ""))
        if bucket is None:
            bucket = self._buckets[address, policy.name, ""] = Bucket(policy, rate, address, policy.name)
        elif bucket.rate is not rate:
            bucket.set_rate(rate)
        return bucket

    def buckets(self, group: Group, app: AppSnapshot, user_id: str | None) -> list[Bucket]:
        """What a request of this group is judged by: the user's buckets first."""
        found = self._together.get((group, app.app_id, user_id))
        if found is None:
            found = self._together[group, app.app_id, user_id] = self._find(group, app, user_id)
        return found

    def visitor_buckets(self, app: AppSnapshot, address: str) -> list[Bucket]:
        """What anything of an anonymous visitor is judged by: its address's bucket first."""
        return [self.address_bucket(VISITORS_IP, address), self.bucket(app, VISITORS_APP)]

    def _find(self, group: Group, app: AppSnapshot, user_id: str | None) -> list[Bucket]:
        if user_id is not None and not group.user:
            group = REQUESTS  # a server's own business; a user that tries it must not use up what the server has
        own = [self.bucket(app, policy, user_id) for policy in group.user] if user_id is not None else []
        return own + [self.bucket(app, policy) for policy in group.app]

    def standing(self, bucket: Bucket) -> Standing:
        """Where a bucket stands, as this node sees it."""
        now = self.now()
        backlog = max(0, bucket.tat - now)
        return Standing(bucket.policy, bucket.rate, remaining(bucket.tat, now, bucket.rate), seconds(backlog))

    # -- judging -----------------------------------------------------------------------------------------------------

    def try_pass(self, buckets: Sequence[Bucket], cost: int = 1) -> bool:
        """Charge all of them; false when one has to wait for a settlement first. Raises `RateLimited`."""
        return self._try(buckets, cost, queued=False)

    async def admit(self, buckets: Sequence[Bucket], cost: int = 1) -> None:
        """Charge all of them, once that can be said. Raises `RateLimited`, or `Unavailable` where a policy wants it."""
        try:
            if buckets and buckets[0].policy.exact:
                await self._admit_exactly(buckets, cost)
            elif not self._try(buckets, cost, queued=False):
                await self._queue(buckets, cost)
        except RateLimited as refusal:
            await self.hold_back(buckets, refusal)
            raise

    def give_back(self, bucket: Bucket, cost: int = 1) -> None:
        """What was charged did not come about."""
        bucket.tat -= cost * bucket.rate.every
        bucket.debt -= cost
        self._soil(bucket)

    async def refresh(self, buckets: Sequence[Bucket]) -> None:
        """Hear from Redis where these stand, over all nodes."""
        if not self.away:
            for bucket in buckets:
                self._soil(bucket)
            await self._next_round()

    def _try(self, buckets: Sequence[Bucket], cost: int, *, queued: bool) -> bool:
        now = self.now()
        longest, worst = 0, None
        unsettled = False
        for bucket in buckets:
            rate, tat = bucket.rate, bucket.tat
            if tat < now:
                tat = bucket.tat = now
            wait = tat - now + cost * rate.every - rate.window
            if wait > longest:
                longest, worst = wait, bucket
            if (bucket.debt and bucket.debt + cost > bucket.slack) or (bucket.waiting and not queued):
                unsettled = True
        if worst is not None:
            raise self.refusal(worst.policy, worst.rate, longest)
        if unsettled and not self.away:
            return False
        for bucket in buckets:
            bucket.tat += cost * bucket.rate.every
            bucket.debt += cost
            if not bucket.dirty or 2 * bucket.debt > bucket.slack:
                self._soil(bucket)
        return True

    async def _queue(self, buckets: Sequence[Bucket], cost: int) -> None:
        # Only where a settlement is wanted: behind a user that is fast nobody else of its app waits.
        unsettled = [b for b in buckets if b.waiting or b.debt + cost > b.slack]
        for bucket in unsettled:
            bucket.waiting += 1
        try:
            while True:
                await self._next_round()
                if self._try(buckets, cost, queued=True):
                    return
        finally:
            for bucket in unsettled:
                bucket.waiting -= 1

    async def _admit_exactly(self, buckets: Sequence[Bucket], cost: int) -> None:
        if not self.away:
            try:
                told = await self._store.take([Ask(b.tag, b.key, b.rate, cost) for b in buckets])
            except Away as error:
                self._lost(error)
            else:
                now = self.now()
                for bucket, answer in zip(buckets, told, strict=True):
                    bucket.tat = now + answer.backlog
                wait, at = max((answer.wait, i) for i, answer in enumerate(told))
                if wait > 0:
                    raise self.refusal(buckets[at].policy, buckets[at].rate, wait)
                return
        counted = [bucket for bucket in buckets if bucket.policy.away == "local"]
        if any(bucket.policy.away == "refuse" for bucket in buckets):
            raise Unavailable("This is not served while the servers cannot count together; try again soon.")
        now = self.now()
        for bucket in counted:
            bucket.tat, wait = take(bucket.tat, now, bucket.rate, cost)
            if wait > 0:
                raise self.refusal(bucket.policy, bucket.rate, wait)

    def refusal(self, policy: Policy, rate: Rate, wait: int) -> RateLimited:
        """The error for who has to wait so many microseconds."""
        self._refused.labels(policy.name).inc()
        return RateLimited(
            f"Too many {policy.counts}: at most {rate.burst:,} at once and {rate.per_second:g} a second after that.",
            retry_after=max(0.001, round(wait / SECOND, 3)),
            policy=policy.name,
        )

    async def hold_back(self, buckets: Sequence[Bucket], refusal: RateLimited) -> None:
        """Wait before a refusal is answered, if the bucket that is over has had many lately."""
        if wait := self.hold(buckets, refusal):
            try:
                await asyncio.sleep(wait)
            finally:
                self.let_go()

    def hold(self, buckets: Sequence[Bucket], refusal: RateLimited) -> float:
        """The same without a task: seconds to wait before this refusal is answered, after which `let_go` must be
        called; 0 when it is answered at once. What the refusal says of the time to wait is what is left then."""
        # A thousand users of an app that is over are refused for the app's sake, and wait in its line.
        policy = refusal.data.get("policy")
        bucket = next((each for each in buckets if each.policy.name == policy), buckets[0])
        now = self.now()
        bucket.refusals = max(bucket.refusals, now) + _POLITE.every
        wait = min((bucket.refusals - now - _POLITE.window) / SECOND, MOST_SECONDS_HELD)
        if wait <= 0 or self._held >= MOST_HELD:
            return 0.0
        bucket.refusals = min(bucket.refusals, now + _POLITE.window + round(MOST_SECONDS_HELD * SECOND))
        self._held += 1
        wait *= random.uniform(0.5, 1.0)  # noqa: S311 - spreading, not secrecy
        refusal.retry_after = max(0.001, round((refusal.retry_after or 0) - wait, 3))
        return wait

    def let_go(self) -> None:
        """The end of one `hold`."""
        self._held -= 1

    # -- settling ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Settle for ever."""
        while True:
            await self._wake.wait()
            try:
                async with asyncio.timeout(PERIOD):
                    await self._urgent.wait()
            except TimeoutError:
                pass
            try:
                await self.settle()
            except Exception as error:
                # A defect; but with no rounds at all the limits of the shard's nodes would go their own ways for good.
                _log.error("limits.round_failed", exc_info=error)
            self._sweep()
            if self.away:
                await asyncio.sleep(1.0)
                self._wake.set()  # to hear whether Redis is back, also when nobody asks

    async def settle(self) -> None:
        """One round: tell Redis what has passed here, hear what has passed everywhere."""
        batch, self._dirty = self._dirty, []
        self._wake.clear()
        self._urgent.clear()
        done, self._round = self._round, None
        charged: list[int] = []
        for bucket in batch:
            bucket.dirty = False
            # After an outage there may be more than a bucket holds; what was long ago has run off by now.
            bucket.debt = min(bucket.debt, bucket.rate.burst)
            charged.append(bucket.debt)
        try:
            told = await self._store.settle(
                [Ask(b.tag, b.key, b.rate, cost) for b, cost in zip(batch, charged, strict=True)] or [_NOBODY]
            )
        except Away as error:
            self._lost(error)
            for bucket in batch:
                self._soil(bucket)
        else:
            self._settled(batch, charged, told)
        finally:
            if done is not None:
                done.set_result(None)

    def _settled(self, batch: list[Bucket], charged: list[int], told: list[Told]) -> None:
        if self.away:
            self.away = False
            _log.info("limits.together_again")
        now = self.now()
        for bucket, cost, answer in zip(batch, charged, told, strict=False):
            bucket.debt -= cost
            # The answer was true when Redis gave it, so it is a little strict by now.
            bucket.tat = now + answer.backlog + bucket.debt * bucket.rate.every

    def _next_round(self) -> "asyncio.Future[None]":
        """The end of a settlement that begins from now on. Several wait for the same one."""
        if self._round is None:
            self._round = asyncio.get_running_loop().create_future()
        self._wake.set()
        self._urgent.set()
        return asyncio.shield(self._round)

    def _soil(self, bucket: Bucket) -> None:
        if not bucket.dirty:
            bucket.dirty = True
            self._dirty.append(bucket)
            self._wake.set()
        if 2 * bucket.debt > bucket.slack:
            self._urgent.set()

    def _lost(self, error: BaseException) -> None:
        if not self.away:
            self.away = True
            _log.warning("limits.redis_away", error=repr(error))

    def _sweep(self) -> None:
        now = self.now()
        if now - self._swept_at >= SWEEP * SECOND:
            self._swept_at = now
            self._together.clear()
            self._buckets = {
                name: bucket
                for name, bucket in self._buckets.items()
                if bucket.tat > now or bucket.dirty or bucket.debt or bucket.waiting or bucket.refusals > now
            }

    def now(self) -> int:
        """Microseconds of the monotonic clock."""
        return int(self._clock.monotonic() * SECOND)


_NOBODY: Final = Ask("nobody", "nobody", Rate(1, 1), 0)
"""Asked for to hear whether Redis is there."""
