"""Check a sound against every quality gate, and score it to select the best of several candidates.

`pipeline.gates` holds the table of gates; here is one measuring function for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from pipeline.audio import Clip, Loop
from pipeline.gates import GATES, REMEDY, passing_setting
from pipeline.manifest.spec import Kind, QualitySpec, ScoreSpec
from pipeline.mastering.measure import Measurement, measure
from pipeline.mastering.seam import Seam, measure_seam
from pipeline.quality.fingerprint import Fingerprint, likeness
from pipeline.quality.probes import clipped_share, dc_offset, noise_share, tail_noise_db

NO_LOUDNESS_LUFS = -120.0
"""Value for a sound without loudness, because JSON has no minus infinity."""
PEAK_ABOVE_LOUDNESS_DB = 6.0
"""A quiet sound such as a whisper has audible peaks although its loudness is low."""
_FAILURE_COST = 0.3
_STRAIN_COST = 0.1

Limits = Mapping[str, float]
"""The limit of each gate by its name; see `pipeline.gates.Gate.limits`."""


def limits_of(kind: Kind, spec: QualitySpec | None = None) -> Limits:
    """The default limits of ``kind``, or those of the manifest where ``spec`` has the key."""
    return {
        gate.name: getattr(spec, gate.field or gate.key) if spec and gate.key else gate.limits[kind]
        for gate in GATES.values()
    }


@dataclass(frozen=True, eq=False)
class GateInput:
    """A sound to check, a take or a master, and what the manifest requires of it (None: nothing)."""

    clip: Clip
    requested_s: float | None = None
    rate_hz: int | None = None
    loop: Loop | None = None
    """The part that is meant to wrap."""
    known: tuple[Measurement, Seam | None] | None = None
    """What was measured of ``clip`` already, with the loop's seam."""

    @cached_property
    def measurement(self) -> Measurement:
        """Loudness, peaks and silence of the clip."""
        return self.known[0] if self.known else measure(self.clip)

    @cached_property
    def seam(self) -> Seam | None:
        """The loop's seam; None for a sound that plays once."""
        if self.loop is None:
            return None
        return (self.known and self.known[1]) or measure_seam(self.clip, self.loop)


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed gate."""

    name: str
    measured: float
    limit: float
    what: str
    """Description of the fault, for the user."""


@dataclass(frozen=True, slots=True)
class QualityReport:
    """Score and failed gates of a sound."""

    score: float
    """From 0 (unusable) to 1 (nothing wrong); compare candidates by it. Above 0.9 every gate passed."""
    failures: tuple[Failure, ...]

    def with_failure(self, failure: Failure) -> QualityReport:
        """The report with one more failure; of one gate, the worse value counts."""
        for known in self.failures:
            if known.name == failure.name:
                worse = failure if failure.measured > known.measured else known
                return replace(self, failures=tuple(worse if one is known else one for one in self.failures))
        return QualityReport(round(max(0.01, self.score - _FAILURE_COST), 4), (*self.failures, failure))

    def reason(self, siblings: Iterable[QualityReport] = ()) -> str:
        """All failures as text, with values, limits, and remedies; ``siblings`` are the asset's other variations."""
        faults = "; ".join(
            f"{failure.what} ({failure.name} {failure.measured:g}, limit {failure.limit:g})"
            for failure in self.failures
        )
        known = [GATES[failure.name].remedy if failure.name in GATES else REMEDY for failure in self.failures]
        remedies = "; ".join(dict.fromkeys(known))
        return (
            f"quality gate: {faults}; {remedies}; to publish it anyway, set {self.passing_setting(siblings)}"
        )

    def passing_setting(self, siblings: Iterable[QualityReport] = ()) -> str:
        """The manifest setting under which this sound and ``siblings`` pass their gates."""
        reports = (self, *siblings)
        return passing_setting(
            (failure.name, failure.measured) for report in reports for failure in report.failures
        )

    @property
    def passed(self) -> bool:
        """Whether every gate passed."""
        return not self.failures

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {"score": self.score, "failures": [asdict(failure) for failure in self.failures]}


def _non_finite_samples(sound: GateInput) -> float:
    return float(np.count_nonzero(~np.isfinite(sound.clip.samples)))


def _loudest_lufs(sound: GateInput) -> float:
    levels = sound.measurement.momentary_max_lufs, sound.measurement.sample_peak_dbfs
    loudness, peak = (NO_LOUDNESS_LUFS if level is None else level for level in levels)
    return max(loudness, peak - PEAK_ABOVE_LOUDNESS_DB)


def _silent_share(sound: GateInput) -> float | None:
    measured = sound.measurement
    if measured.momentary_max_lufs is None:
        return None
    return min(1.0, (measured.leading_silence_s + measured.trailing_silence_s) / measured.duration_s)


MEASURES: dict[str, Callable[[GateInput], float | None]] = {
    "not finite": _non_finite_samples,
    "silence": _loudest_lufs,
    "dc": lambda sound: dc_offset(sound.clip),
    "clipping": lambda sound: clipped_share(sound.clip),
    "too short": lambda sound: sound.clip.seconds,
    "too long": lambda sound: None if sound.requested_s is None else sound.clip.seconds,
    "silent ends": _silent_share,
    "wrong rate": lambda sound: (
        None if sound.rate_hz is None else float(abs(sound.clip.rate - sound.rate_hz))
    ),
    "noise only": lambda sound: noise_share(sound.clip),
    "tail noise": lambda sound: None if sound.loop else tail_noise_db(sound.clip),
    "loop seam": lambda sound: sound.seam.click if sound.seam else None,
    "loop beat": lambda sound: sound.seam.beat if sound.seam else None,
    "loop step": lambda sound: max(sound.seam.level_step, sound.seam.spectral_step) if sound.seam else None,
}
"""The value that each gate compares with its limit; None where the gate does not apply to the sound.

The gate "duplicate" compares a sound with others, see `duplicate`."""


def _names(sound: GateInput) -> list[str]:
    """The gates to check: nothing else can be measured on a clip that is empty or not finite."""
    if _non_finite_samples(sound):
        return ["not finite"]
    return [name for name in MEASURES if name != "not finite"] if sound.clip.length else ["too short"]


def score(sound: GateInput, limits: Limits) -> QualityReport:
    """Check ``sound`` against every gate that applies to it.

    A clip that is not finite, silent or too short scores 0. Other failures cost 0.3 each. Values close to their limits
    cost up to 0.1 in all, so that the cleanest of the good candidates wins.
    """
    failures, strain = [], 0.0
    for name in _names(sound):
        gate, measured = GATES[name], MEASURES[name](sound)
        if measured is None:
            continue
        limit = gate.limit(limits[name], sound.requested_s)
        if gate.closes(measured, limit):
            failures.append(Failure(name, round(measured, 6), round(limit, 6), gate.fault))
        elif gate.comparison == ">" and limit > 0.0 and not gate.of_length:
            strain = max(strain, measured / limit)
    if any(GATES[failure.name].unusable for failure in failures):
        return QualityReport(0.0, tuple(failures))
    left = 1.0 - _FAILURE_COST * len(failures) - _STRAIN_COST * strain
    return QualityReport(round(max(0.01, left), 4), tuple(failures))


def score_failures(specs: Sequence[ScoreSpec], values: Mapping[str, float]) -> list[Failure]:
    """A failure for each score with a value outside its limits; its name is the score's."""
    failures = []
    for spec in specs:
        value = values[spec.name]
        if spec.least is not None and value < spec.least:
            failures.append(Failure(spec.name, value, spec.least, f"the score {spec.name} is too low"))
        if spec.most is not None and value > spec.most:
            failures.append(Failure(spec.name, value, spec.most, f"the score {spec.name} is too high"))
    return failures


def duplicate(
    sound: Fingerprint, others: Sequence[tuple[str, Fingerprint]], limits: Limits
) -> Failure | None:
    """The failure of a sound that is almost the same as one of ``others``, which are named; None if it is not."""
    gate = GATES["duplicate"]
    highest, name = max(((likeness(sound, other), name) for name, other in others), default=(0.0, ""))
    if not gate.closes(highest, limits[gate.name]):
        return None
    return Failure(gate.name, round(highest, 4), limits[gate.name], f"{gate.fault}: {name}")
