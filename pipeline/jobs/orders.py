"""The orders of a session, as a worker gets them: a few at a time from its parent, and the next ones in advance."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from pipeline.jobs.work_items import AssetOrder, EndSession, Give, Wants
from pipeline.plan import TakeOrder

Order = TypeVar("Order", TakeOrder, AssetOrder)

_AHEAD = 3
"""Orders that a worker holds beside those that it works on, so that it need not wait for its parent."""
_RETRY_S = 0.05
"""Time until a worker asks again after its parent had nothing for it."""


class OrderSource(Generic[Order]):
    """Orders from ``receive``, which waits for the parent's next message; ``send`` asks for more. Thread-safe.

    After ``seconds_left`` there are no more orders: those that nobody has begun are left.
    """

    def __init__(
        self,
        receive: Callable[[], Give | EndSession],
        send: Callable[[Wants], None],
        seconds_left: float | None = None,
    ) -> None:
        self._receive, self._send = receive, send
        self._deadline = None if seconds_left is None else time.monotonic() + seconds_left
        self._lock = threading.Lock()
        self._ready: deque[Order] = deque()
        self._awaits_answer = True
        """The parent sends the first orders unasked."""
        self._ask_after = 0.0
        self._unfinished = 0
        self.is_over = False
        """Whether the parent has no more orders for the session."""

    def next(self) -> Order | None:
        """The next order. If none is unfinished, this waits for one, and None means that the session is over."""
        with self._lock:
            if self.is_late():
                self._ready.clear()
                self.is_over = True
            while not self._ready and not self.is_over:
                is_idle, began = self._unfinished == 0, time.monotonic()
                if not is_idle and began < self._ask_after:
                    return None
                self._fetch(began)
                if is_idle and not self._ready and not self.is_over:
                    # The parent still counts takes that are being stored, so it may have nothing yet.
                    time.sleep(_RETRY_S)
            if not self._ready:
                return None
            order = self._ready.popleft()
            self._unfinished += 1
            if len(self._ready) < _AHEAD and not self.is_over:
                self._ask()
            return order

    def is_late(self) -> bool:
        """Whether the time of the session is up."""
        return self._deadline is not None and time.monotonic() >= self._deadline

    def finish(self) -> None:
        """One of the orders has its outcome."""
        with self._lock:
            self._unfinished -= 1

    def _ask(self) -> None:
        if not self._awaits_answer:
            self._awaits_answer = True
            self._send(Wants(_AHEAD + 1 - len(self._ready)))

    def _fetch(self, now: float) -> None:
        self._ask()
        message = self._receive()
        self._awaits_answer = False
        if isinstance(message, EndSession):
            self.is_over = True
            return
        self._ready.extend(message.orders)  # type: ignore[arg-type]
        if not message.orders:
            self._ask_after = now + _RETRY_S
