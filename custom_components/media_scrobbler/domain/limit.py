"""A limit on how many webhooks are taken."""

CAPACITY = 20_000
"""Webhooks taken at once: a bulk mark has sent 12,000."""

REFILL = 20.0
"""Webhooks taken per second for ever: ten playbacks report once a second, and room."""

RESERVE = CAPACITY // 2
"""What is left for plays alone."""


class RateLimit:
    """A token bucket in which plays may use what nothing else may."""

    __slots__ = ("_at", "_tokens")

    def __init__(self, now: float) -> None:
        """Start full; times are seconds of any steady clock."""
        self._tokens = float(CAPACITY)
        self._at = now

    def is_exhausted(self, now: float) -> bool:
        """Return whether not even a play would be taken: nothing has to be looked at then."""
        self._refill(now)
        return self._tokens < 1

    def allows(self, now: float, *, is_play: bool) -> bool:
        """Take one webhook if that is within the limit."""
        self._refill(now)
        if self._tokens < (1 if is_play else RESERVE + 1):
            return False
        self._tokens -= 1
        return True

    def _refill(self, now: float) -> None:
        self._tokens = min(CAPACITY, self._tokens + (now - self._at) * REFILL)
        self._at = now
