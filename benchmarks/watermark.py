"""Whether the watermark ``audioseal`` is found after every delivery format, and what marking costs: a Markdown table.

PYTHONPATH=.:tests/quality python benchmarks/watermark.py [SOUNDS]

Needs the extra ``watermark`` and the weights (`cuesmith models fetch facebook/audioseal --engine audioseal`). Each of
the first SOUNDS assets of the example game (default: all), at most 10 s of it by the sketch engine, is mastered with
and without the mark, and each master goes through every format and the rates of small export profiles. A mark counts
as found under the rules of `cuesmith credentials verify`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from statistics import median
from typing import Any

from vocals import sketches

from pipeline.audio import Clip, resample
from pipeline.delivery import Content, decode, render
from pipeline.errors import CuesmithError
from pipeline.formats import FORMATS
from pipeline.manifest.spec import MasteringSpec
from pipeline.mastering.chain import Master, master
from pipeline.mastering.shape import TakeInput
from pipeline.mastering.watermark import Watermarking, detect
from pipeline.watermarks import Found, message_of, message_text
from pipeline.watermarks.registry import open_watermarker

MESSAGE = message_of("benchmark")
RATES = (16_000, 22_050, 32_000)
CEILING = -1.0


def through(audio_format: str) -> Callable[[Clip], Clip]:
    """What a player hears of a master in a format."""
    return lambda clip: decode(
        render(clip, audio_format, Content("24"), ceiling_dbtp=CEILING).data, audio_format
    )


def mono_at(rate: int) -> Callable[[Clip], Clip]:
    """A master folded to mono at another rate."""
    return lambda clip: resample(Clip(clip.samples.mean(axis=0, keepdims=True), clip.rate), rate)


WAYS: Mapping[str, Callable[[Clip], Clip]] = {
    **{name: through(name) for name in FORMATS},
    **{f"mono at {rate / 1000:g} kHz": mono_at(rate) for rate in RATES},
}


def mastered(clip: Clip, marking: Watermarking | None) -> Clip | None:
    """The master of a take as the example game would have it, or None if it cannot be mastered."""
    spec = MasteringSpec(-16.0, CEILING, 48_000, 2, clip.seconds, False, None, False, 0.0, 0.0)
    [result] = master([TakeInput(clip)], spec, watermarking=marking)
    return result.clip if isinstance(result, Master) else None


def pairs(count: int | None, marking: Watermarking) -> Iterator[tuple[Clip, Clip, float]]:
    """Each sound with and without the mark, and the seconds that marking took."""
    for _, take in islice(sketches(), count):
        began = time.process_time()
        marked = mastered(take, marking)
        took = time.process_time() - began
        plain = mastered(take, None)
        if marked is not None and plain is not None:
            yield marked, plain, took


def main() -> None:
    """Print the table."""
    watermarker = open_watermarker("audioseal")
    facts: Any = {"message": message_text(MESSAGE), "strength": 1.0}
    marking = Watermarking(watermarker, facts)
    results: dict[str, list[tuple[Found, Found]]] = {name: [] for name in WAYS}
    took = seconds = 0.0
    for marked, plain, cost in pairs(int(sys.argv[1]) if len(sys.argv) > 1 else None, marking):
        took, seconds = took + cost, seconds + marked.seconds
        for name, way in WAYS.items():
            results[name].append((detect(way(marked), watermarker), detect(way(plain), watermarker)))
    print("| after | sounds | found | probability: lowest, median | without the mark: found, highest |")
    print("|---|---|---|---|---|")
    for name, found in results.items():
        values = [mark.probability for mark, _ in found]
        alarms = [plain.probability for _, plain in found]
        print(
            f"| {name} | {len(found)} | {sum(mark.has(MESSAGE) for mark, _ in found)} "
            f"| {min(values):.2f}, {median(values):.2f} "
            f"| {sum(plain.has(MESSAGE) for _, plain in found)}, {max(alarms):.2f} |"
        )
    print(f"\n{took / seconds:.2f} s of one core for each second of sound, mastering included")


if __name__ == "__main__":
    try:
        main()
    except CuesmithError as error:
        sys.exit(f"error: {error}")
