"""On CPUs: groups of slots that step side by side, each on its own share of the threads.

A step is products, which keep the arithmetic units busy, and attention, which waits for memory. Two groups drift apart,
so that one computes while the other reads; a step's many short products are not cut up among all threads either. The
groups share the queue and the weights and nothing else, so a cue's bits do not depend on which group it came to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from queue import SimpleQueue
from threading import Event
from typing import Generic, TypeVar

import torch

from pipeline.generators.audiocraft.decoding.schedule import Queue
from pipeline.generators.audiocraft.decoding.session import SlotDecoder
from pipeline.generators.audiocraft.rows import Row

Cue = TypeVar("Cue")


class Groups(Generic[Cue]):
    """``count`` decoders of ``make``, which is called in the thread in which its decoder works."""

    def __init__(self, make: Callable[[], SlotDecoder], count: int) -> None:
        self._make = make
        self._decoders: list[SlotDecoder | None] = [None] * count
        self._threads = max(1, torch.get_num_threads() // count)

    @property
    def steps_taken(self) -> int:
        """Steps of all groups together."""
        return sum(one.steps_taken for one in self._decoders if one is not None)

    @property
    def wasted(self) -> int:
        """Steps of slots without a cue, of all groups together."""
        return sum(one.wasted for one in self._decoders if one is not None)

    def run(
        self, queue: Queue[Cue], row_of: Callable[[Cue], Row]
    ) -> Iterator[tuple[Cue, torch.Tensor | None]]:
        """As `SlotDecoder.run`. When one group fails the others stop, and what they had ended still comes."""
        ended: SimpleQueue[tuple[int, tuple[Cue, torch.Tensor | None] | None]] = SimpleQueue()
        stop, usual = Event(), torch.get_num_threads()
        running: dict[int, Future[None]] = {}

        def work(index: int) -> None:
            torch.set_num_threads(self._threads)
            try:
                for found in self._decoder(index).run(queue, row_of, stop.is_set):
                    ended.put((index, found))
            finally:
                ended.put((index, None))

        with ThreadPoolExecutor(len(self._decoders)) as pool:
            try:
                # Whether there may be cues that no group has looked for: one that none has room for is looked for once.
                unseen = True
                while True:
                    idle = [index for index in range(len(self._decoders)) if index not in running]
                    if unseen and queue and idle:
                        running |= {index: pool.submit(work, index) for index in idle}
                        unseen = False
                    if not running:
                        return
                    index, found = ended.get()
                    if found is not None:
                        yield found
                        unseen = True
                    elif running[index].exception() is None:
                        del running[index]
                    else:
                        stop.set()
                        wait(running.values())
                        yield from _rest(ended)
                        running[index].result()
            finally:
                stop.set()
                wait(running.values())
                # The number of threads is this thread's own, but for what MKL does it is everybody's.
                torch.set_num_threads(usual)

    def _decoder(self, index: int) -> SlotDecoder:
        decoder = self._decoders[index]
        if decoder is None:
            decoder = self._decoders[index] = self._make()
        return decoder


def _rest(
    ended: SimpleQueue[tuple[int, tuple[Cue, torch.Tensor | None] | None]],
) -> Iterator[tuple[Cue, torch.Tensor | None]]:
    while not ended.empty():
        _, found = ended.get()
        if found is not None:
            yield found
