"""Who processes which partitions: leases in Redis, shared out evenly among the processors that live."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

_LEASE: Final = "marquee:stream:lease:{partition}"
_PROCESSORS: Final = "marquee:stream:processors"
TIME_TO_LIVE: Final = timedelta(seconds=10)
"""After so long without a sign of life a processor's partitions go to the others."""
_RENEW: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0
"""
_RELEASE: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
"""


class LeaseLostError(RuntimeError):
    """Another processor has taken a partition over; nothing since this one's last commit counts."""


class Leases:
    """The partitions of one processor, ``owner``, among all that share the log."""

    def __init__(
        self, client: Any, owner: str, partitions: int, time_to_live: timedelta = TIME_TO_LIVE
    ) -> None:
        self._client, self.owner, self._partitions = client, owner, partitions
        self._milliseconds = time_to_live // timedelta(milliseconds=1)
        self._renew, self._release = client.register_script(_RENEW), client.register_script(_RELEASE)
        self.held: tuple[int, ...] = ()

    def share(self) -> tuple[int, ...]:
        """Give a sign of life, keep or take up to a fair share of the partitions, and return those held."""
        fair = -(-self._partitions // max(1, self._living()))
        kept = [p for p in self.held if self._renew(keys=[lease(p)], args=[self.owner, self._milliseconds])]
        for partition in kept[fair:]:
            self._release(keys=[lease(partition)], args=[self.owner])
        held = kept[:fair]
        for partition in range(self._partitions):
            if len(held) >= fair:
                break
            if partition not in held and self._take(partition):
                held.append(partition)
        self.held = tuple(sorted(held))
        return self.held

    def guard(self, transaction: Any, partitions: tuple[int, ...]) -> None:
        """Let ``transaction`` (a watching pipeline) fail if a partition is lost before it is executed.

        Raises :class:`LeaseLostError` where one is lost already.
        """
        keys = [lease(partition) for partition in partitions]
        transaction.watch(*keys)
        owners = transaction.mget(keys) if keys else []
        lost = [p for p, o in zip(partitions, owners, strict=True) if o is None or o.decode() != self.owner]
        if lost:
            raise LeaseLostError(f"partitions {lost} are no longer held by {self.owner}")

    def release(self) -> None:
        """Give all partitions back at once, as at a planned stop."""
        for partition in self.held:
            self._release(keys=[lease(partition)], args=[self.owner])
        self._client.zrem(_PROCESSORS, self.owner)
        self.held = ()

    def _take(self, partition: int) -> bool:
        return bool(self._client.set(lease(partition), self.owner, nx=True, px=self._milliseconds))

    def _living(self) -> int:
        """Count the processors that gave a sign of life lately, by Redis's clock; this one is among them."""
        seconds, microseconds = self._client.time()
        now = seconds * 1000 + microseconds // 1000
        with self._client.pipeline(transaction=False) as pipeline:
            pipeline.zadd(_PROCESSORS, {self.owner: now})
            pipeline.zremrangebyscore(_PROCESSORS, "-inf", now - self._milliseconds)
            pipeline.zcard(_PROCESSORS)
            return int(pipeline.execute()[-1])


def lease(partition: int) -> str:
    """Return the key of a partition's lease."""
    return _LEASE.format(partition=partition)
