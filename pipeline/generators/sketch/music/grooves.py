"""Drum patterns: sixteen steps a bar; ``x`` accent, ``o`` plain, ``-`` ghost note."""

from __future__ import annotations

from pipeline.generators.sketch.dsp.units import Rng
from pipeline.generators.sketch.music.score import Hit

Groove = dict[str, str]

_LEVELS = {"x": 0.95, "o": 0.68, "-": 0.36}

GROOVES: dict[str, tuple[tuple[float, Groove], ...]] = {
    "folk": (
        (0.0, {"frame": "x.......o.......", "shaker": "..-...-...-...-."}),
        (
            0.35,
            {"frame": "x.....o.o.....-.", "frame tap": "....o..-....o.-.", "tambourine": "....o.......o..."},
        ),
        (
            0.6,
            {"frame": "x..o..x.o..o..o.", "frame tap": "..o.o..o..o.o.-o", "tambourine": "-.o.x.-.-.o.x.o."},
        ),
    ),
    "taiko": (
        (0.0, {"timpani": "x...............", "taiko": "........o......."}),
        (0.4, {"taiko": "x.....o.x.......", "taiko high": "....o.....o.o...", "stick": "..-...-...-...-."}),
        (
            0.7,
            {
                "taiko": "x..o..x...x.o...",
                "taiko high": "..o.o..oo..o..oo",
                "stick": "x.o.x.o.x.o.x.o.",
                "snare": "....-.-.....-.-o",
            },
        ),
        (
            0.85,
            {
                "taiko": "x..x..x.x..x..x.",
                "taiko high": "..oo..oo..oo.ooo",
                "stick": "x.oox.oox.oox.oo",
                "snare": "....x..-....x.oo",
            },
        ),
    ),
    "rock": (
        (0.0, {"kick": "x.......o.......", "snare": "....o.......o...", "hat": "o...o...o...o..."}),
        (0.5, {"kick": "x.....o.x.......", "snare": "....x.......x...", "hat": "x.o.x.o.x.o.x.o."}),
        (0.8, {"kick": "x..x..x.x..x..xo", "snare": "....x.......x...", "hat": "x.x.x.x.x.x.x.x."}),
    ),
    "electronic": (
        (0.0, {"machine kick": "x.......x.......", "clap": "....o.......o...", "hat": "..o...o...o...o."}),
        (
            0.5,
            {
                "machine kick": "x...x...x...x...",
                "clap": "....x.......x...",
                "open hat": "..o...o...o...o.",
                "hat": "-.-.-.-.-.-.-.-.",
            },
        ),
        (
            0.75,
            {
                "machine kick": "x...x...x...x..o",
                "clap": "....x.......x...",
                "open hat": "..x...x...x...x.",
                "hat": "-oo-oo-o-oo-oo-o",
            },
        ),
    ),
    "chip": (
        (
            0.0,
            {
                "chip kick": "x.......x.......",
                "chip snare": "....o.......o...",
                "chip hat": "..o...o...o...o.",
            },
        ),
        (
            0.5,
            {
                "chip kick": "x.....o.x.o.....",
                "chip snare": "....x.......x...",
                "chip hat": "x.o.x.o.x.o.x.o.",
            },
        ),
        (
            0.8,
            {
                "chip kick": "x...x...x...x.o.",
                "chip snare": "....x.......x..o",
                "chip hat": "xoooxoooxoooxooo",
            },
        ),
    ),
    "brushes": (
        (
            0.0,
            {"soft kick": "x.........o.....", "soft snare": "....o.......o...", "brush": "o...-...o...-..."},
        ),
        (0.3, {"soft kick": "x......o..o.....", "soft snare": "....x..-....x...", "hat": "o.-.o.-.o.-.o.-."}),
        (
            0.6,
            {
                "soft kick": "x.....oo..o..-..",
                "soft snare": "....x..-.-..x..-",
                "hat": "o.o.o.o.o.o.o.oo",
                "ride": "x...x...x...x...",
            },
        ),
    ),
    "hand drums": (
        (
            0.0,
            {"djembe": "x.......o.......", "djembe tone": "......-.....o...", "shaker": "..-...-...-...-."},
        ),
        (
            0.35,
            {
                "djembe": "x.....o...o.....",
                "djembe tone": "...o....o....o-.",
                "djembe slap": "....o.......o...",
                "shaker": "o.-.o.-.o.-.o.-.",
            },
        ),
        (
            0.65,
            {
                "djembe": "x..o..o.x.o...o.",
                "djembe tone": ".-.-o.-o.-.-o.oo",
                "djembe slap": "....x..o....x..o",
                "shaker": "o-o-o-o-o-o-o-o-",
            },
        ),
    ),
    "shaker": (
        (0.0, {"shaker": "..-...-...-...-.", "rim": "............-..."}),
        (0.35, {"shaker": "o.-.o.-.o.-.o.-.", "rim": "....o.......o...", "soft kick": "x.......o......."}),
        (
            0.65,
            {
                "shaker": "o-o-o-o-o-o-o-o-",
                "rim": "....o..o....o...",
                "soft kick": "x.....o.x.......",
                "tambourine": "....o.......o...",
            },
        ),
    ),
    "sleigh": (
        (0.0, {"sleigh": "-.......-......."}),
        (0.3, {"sleigh": "o...-...o...-...", "timpani": "-..............."}),
        (
            0.6,
            {"sleigh": "o.-.o.-.o.-.o.-.", "soft kick": "x.......o.......", "tambourine": "....o.......o..."},
        ),
    ),
    "dread": (
        (0.0, {"boom": "o..............."}),
        (0.3, {"boom": "o...............", "heart": "........o..-...."}),
        (0.6, {"boom": "x...............", "heart": "o..-....o..-....", "tick": "-.-.-.-.-.-.-.-."}),
    ),
    "pulse": (
        (0.0, {"heart": "o..-............", "tick": "-...-...-...-..."}),
        (0.35, {"heart": "x..-....o..-....", "tick": "o.-.o.-.o.-.o.-."}),
        (0.65, {"heart": "x..-..o.x..-..o.", "tick": "o-o-o-o-o-o-o-o-", "taiko": "x.........o....."}),
    ),
}

_FILLS: dict[str, tuple[str, ...]] = {
    "taiko": ("taiko high", "taiko", "snare"),
    "rock": ("tom high", "tom mid", "tom low", "snare"),
    "electronic": ("clap",),
    "chip": ("chip snare",),
    "folk": ("frame tap", "frame"),
    "hand drums": ("djembe slap", "djembe tone", "djembe"),
    "brushes": ("soft snare",),
    "shaker": ("rim",),
}
_CRASHES = {"taiko": "crash", "rock": "crash", "electronic": "crash"}


def groove(kit: str, energy: float, quieter: bool = False) -> Groove:
    """The pattern of a kit at an energy; ``quieter`` takes the one below."""
    levels = GROOVES[kit]
    chosen = max(k for k, (least, _) in enumerate(levels) if energy >= least)
    return levels[max(0, chosen - int(quieter))][1]


def bar_of(pattern: Groove, start: float, beats_in_bar: int, until: float | None = None) -> list[Hit]:
    """The hits of one bar that starts at beat ``start``; nothing from ``until`` (beats) on."""
    stop = until if until is not None else beats_in_bar
    return [
        Hit(drum, start + step / 4.0, _LEVELS[mark])
        for drum, steps in pattern.items()
        for step, mark in enumerate(steps[: 4 * beats_in_bar])
        if mark != "." and step / 4.0 < stop
    ]


def fill(rng: Rng, kit: str, start: float, beats: float, energy: float) -> list[Hit]:
    """A run over the drums that leads into the next section."""
    drums = _FILLS.get(kit, ())
    if not drums:
        return []
    steps = int(beats * 4)
    spots = [k for k in range(steps) if k % 2 == 0 or rng.random() < 0.25 + 0.6 * energy]
    return [
        Hit(drums[min(len(drums) - 1, k * len(drums) // steps)], start + k / 4.0, 0.5 + 0.45 * k / steps)
        for k in spots
    ]


def crash(kit: str) -> str | None:
    """What marks the start of a section, if the kit has it."""
    return _CRASHES.get(kit)
