"""The table of quality gates: what each one measures, its limits, the manifest key that moves it, and its words.

`pipeline.quality` measures; this module imports nothing heavy, so that the manifest, the report and the command line
can read the table too. To add a gate, add a row here and a measuring function in `pipeline.quality.gates`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

REMEDY = "change the prompt or the seed, or make more candidates"


@dataclass(frozen=True, slots=True)
class Gate:
    """One named check of a sound. The gate closes, and the sound fails, when `closes` is true."""

    name: str
    closes_when: str
    """For the documentation: the condition, without the limit."""
    fault: str
    """What is wrong with a sound that fails."""
    limits: Mapping[str, float]
    """Default limit by kind of asset."""
    remedy: str = REMEDY
    comparison: Literal[">", ">=", "<"] = ">"
    """The gate closes when ``measured comparison limit``."""
    unit: str = ""
    of_length: bool = False
    """The limit is a multiple of the requested length."""
    floor: float = 0.0
    """Lowest limit of a gate whose limit depends on the requested length."""
    key: str | None = None
    """Key below ``quality`` in the manifest that sets the limit."""
    field: str | None = None
    """Field of `QualitySpec` that holds the limit, if its name is not the key."""
    step: float = 0.01
    """Precision of a suggested limit."""
    most: float = 1.0
    """Largest limit that the manifest accepts."""
    least: float = 0.0
    """Smallest limit that the manifest accepts."""
    unusable: bool = False
    """A sound that fails is of no use: its score is 0."""
    on_take: bool = False
    """Also checked on the take, because mastering hides this fault."""

    def limit(self, value: float, requested_s: float | None) -> float:
        """The limit, in the unit of the measured value; ``value`` is the default or the one in the manifest."""
        return max(self.floor, value * (requested_s or 0.0)) if self.of_length else value

    def closes(self, measured: float, limit: float) -> bool:
        """Whether a sound with the value ``measured`` fails."""
        if self.comparison == "<":
            return measured < limit
        return measured >= limit if self.comparison == ">=" else measured > limit

    def passing_limit(self, measured: float) -> str | None:
        """The limit under which a sound with the value ``measured`` passes, as the manifest writes it.

        None if no limit that the manifest accepts lets it pass.

        >>> GATES["noise only"].passing_limit(0.914), GATES["silence"].passing_limit(-53.2)
        ('0.92', '-54 LUFS')
        >>> GATES["duplicate"].passing_limit(1.0) is None
        True
        """
        if self.key is None:
            return None
        steps = 1.0 / self.step
        if self.comparison == "<":
            limit = math.floor(measured * steps) / steps
        else:
            limit = (math.ceil(measured * steps + 1e-9) + (self.comparison == ">=")) / steps
        limit = min(self.most, max(self.least, limit))
        return None if self.closes(measured, limit) else f"{limit:g} {self.unit}".strip()


def _limits(sfx: float, *, music: float | None = None) -> Mapping[str, float]:
    return MappingProxyType({"sfx": sfx, "music": sfx if music is None else music})


_ENGINE_BUG = "generate it again; if it fails again, report a bug of the engine"

_ROWS = (
    Gate(
        "not finite",
        closes_when="samples are NaN or infinite",
        fault="samples are NaN or infinite",
        remedy=_ENGINE_BUG,
        limits=_limits(0.0),
        unit="samples",
        unusable=True,
    ),
    Gate(
        "silence",
        closes_when="the loudest 400 ms are below the limit, and peaks are less than 6 dB above it",
        fault="the sound is silent or almost silent",
        limits=_limits(-60.0, music=-50.0),
        comparison="<",
        unit="LUFS",
        key="silence",
        field="silence_lufs",
        step=1.0,
        least=-60.0,
        unusable=True,
    ),
    Gate(
        "dc",
        closes_when="the DC offset of a channel is above the limit throughout; full scale is 1",
        fault="DC offset too high",
        limits=_limits(0.015),
        key="dc",
    ),
    Gate(
        "clipping",
        closes_when="hard clipping cut more than this share of the audible samples, "
        "even if the level was lowered later",
        fault="peaks are clipped",
        limits=_limits(0.001),
        key="clipping",
        on_take=True,
    ),
    Gate(
        "too short",
        closes_when="it is shorter than the limit",
        fault="the sound is too short",
        remedy="change the prompt or the seed, or request a shorter sound",
        limits=_limits(0.1, music=0.6),
        comparison="<",
        unit="s",
        of_length=True,
        floor=0.01,
        unusable=True,
    ),
    Gate(
        "too long",
        closes_when="it is longer than the limit",
        fault="the sound is too long",
        remedy="change the prompt or the seed, or request a longer sound",
        limits=_limits(1.5),
        unit="s",
        of_length=True,
    ),
    Gate(
        "silent ends",
        closes_when="silence at the ends is more than this share of the sound",
        fault="most of the sound is silence at its ends",
        limits=_limits(0.98, music=0.3),
    ),
    Gate(
        "wrong rate",
        closes_when="the sample rate is not the requested one",
        fault="the sample rate is not the requested one",
        remedy=_ENGINE_BUG,
        limits=_limits(0.0),
        unit="Hz",
    ),
    Gate(
        "noise only",
        closes_when="it is steady noise (white, pink, brown): the spectrum is a power of frequency, "
        "and no impulse stands out",
        fault="the sound is only noise",
        limits=_limits(0.85, music=0.6),
        key="noise",
        on_take=True,
    ),
    Gate(
        "tail noise",
        closes_when="noise starts after the sound has died away, and stays at one level to the last sample",
        fault="noise starts after the sound has died away",
        limits=_limits(12.0),
        unit="dB",
        key="tail_noise",
        field="tail_noise_db",
        step=0.1,
        most=120.0,
        on_take=True,
    ),
    Gate(
        "loop seam",
        closes_when="the seam clicks, or what follows it clearly does not continue what came before "
        "([how](mastering.md#how-a-seam-is-judged))",
        fault="the loop has an audible cut at its seam",
        limits=_limits(1.2),
        key="seam",
        least=0.1,
        step=0.1,
        most=100.0,
    ),
    Gate(
        "loop beat",
        closes_when="the rhythm jumps at the seam by more than this multiple of the usual",
        fault="the rhythm jumps at the loop's seam",
        remedy="change the seed, set the bpm of the music, or make more candidates",
        limits=_limits(1.2),
    ),
    Gate(
        "loop step",
        closes_when="level or spectrum change at the seam by more than this multiple of the loop's usual change",
        fault="level or spectrum jumps at the loop's seam",
        limits=_limits(4.0),
    ),
    Gate(
        "duplicate",
        closes_when="the spectrum matches an earlier variation's in each band, phase included, up to the limit",
        fault="the sound is almost the same as another one",
        remedy="make more candidates, or ask for fewer variations",
        limits=_limits(0.996, music=0.95),
        comparison=">=",
        key="duplicates",
        least=0.5,
    ),
)
GATES: Mapping[str, Gate] = MappingProxyType({gate.name: gate for gate in _ROWS})
"""Every gate by its name, in the order in which a sound passes them."""


def passing_setting(failures: Iterable[tuple[str, float]]) -> str:
    """The manifest setting under which sounds with these failures pass, each a gate's name and the measured value.

    Of several failures of one gate, the worst decides. Scores, gates without a limit in the manifest, and gates that
    no longer exist can only be switched off.

    >>> passing_setting([("noise only", 0.914), ("tail noise", 27.1), ("tail noise", 29.4)])
    'quality: {noise: 0.92, tail_noise: 29.5 dB}'
    >>> passing_setting([("noise only", 0.914), ("wrong rate", 100.0)])
    'quality: {gate: false}'
    """
    worst: dict[str, float] = {}
    for name, measured in failures:
        worse = min if name in GATES and GATES[name].comparison == "<" else max
        worst[name] = worse(measured, worst.get(name, measured))
    settings = []
    for name, measured in worst.items():
        limit = GATES[name].passing_limit(measured) if name in GATES else None
        if limit is None:
            return "quality: {gate: false}"
        settings.append(f"{GATES[name].key}: {limit}")
    return f"quality: {{{', '.join(settings)}}}"
