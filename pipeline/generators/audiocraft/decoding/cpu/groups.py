"""On CPUs: groups of slots that step side by side, each with its share of the threads.

A step consists of products, which are bound by arithmetic, and attention, which is bound by memory. Two groups drift
apart, so that one computes while the other reads, and a step's many short products are split among fewer threads. The
groups share only the queue and the weights, so a cue's bits do not depend on its group.
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


class SlotGroups(Generic[Cue]):
    """``count`` decoders, each created by ``make_decoder`` in the thread that runs it."""

    def __init__(self, make_decoder: Callable[[], SlotDecoder], count: int) -> None:
        self._make_decoder = make_decoder
        self._decoders: list[SlotDecoder | None] = [None] * count
        self._threads = max(1, torch.get_num_threads() // count)

    @property
    def steps_taken(self) -> int:
        """Steps of all groups together."""
        return sum(decoder.steps_taken for decoder in self._decoders if decoder is not None)

    def run(
        self, queue: Queue[Cue], row_of: Callable[[Cue], Row]
    ) -> Iterator[tuple[Cue, torch.Tensor | None]]:
        """As `SlotDecoder.run`. If one group fails, the others stop, and cues that have ended are still returned."""
        ended: SimpleQueue[tuple[int, tuple[Cue, torch.Tensor | None] | None]] = SimpleQueue()
        stop, usual = Event(), torch.get_num_threads()
        running: dict[int, Future[None]] = {}

        def work(index: int) -> None:
            torch.set_num_threads(self._threads)
            try:
                for result in self._decoder(index).run(queue, row_of, stop.is_set):
                    ended.put((index, result))
            finally:
                ended.put((index, None))

        with ThreadPoolExecutor(len(self._decoders)) as pool:
            try:
                # Whether idle groups should look at the queue again: a cue that fits nowhere is tried once.
                try_idle = True
                while True:
                    idle = [index for index in range(len(self._decoders)) if index not in running]
                    if try_idle and queue and idle:
                        running |= {index: pool.submit(work, index) for index in idle}
                        try_idle = False
                    if not running:
                        return
                    index, result = ended.get()
                    if result is not None:
                        yield result
                        try_idle = True
                    elif running[index].exception() is None:
                        del running[index]
                    else:
                        stop.set()
                        wait(running.values())
                        yield from _drained(ended)
                        running[index].result()
            finally:
                stop.set()
                wait(running.values())
                # torch sets the number for this thread only, MKL for all threads.
                torch.set_num_threads(usual)

    def _decoder(self, index: int) -> SlotDecoder:
        decoder = self._decoders[index]
        if decoder is None:
            decoder = self._decoders[index] = self._make_decoder()
        return decoder


def _drained(
    ended: SimpleQueue[tuple[int, tuple[Cue, torch.Tensor | None] | None]],
) -> Iterator[tuple[Cue, torch.Tensor | None]]:
    while not ended.empty():
        _, result = ended.get()
        if result is not None:
            yield result
