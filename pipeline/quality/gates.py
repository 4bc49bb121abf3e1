"""Quality gates: named checks of a sound, each with its measured value and its limit, and a score from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.audio import Clip
from pipeline.manifest.spec import Kind, QualitySpec
from pipeline.mastering import Measurement, Seam, measure, measure_seam
from pipeline.quality.probes import clipped_share, noise_share, standing_offset, tail_noise_db

NOTHING_LUFS = -120.0
"""Value for a sound without loudness, because JSON has no minus infinity."""
PEAK_ABOVE_LOUDNESS_DB = 6.0
"""A quiet sound such as a whisper has audible peaks although its loudness is low."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limit of each gate."""

    silent_lufs: float = -60.0
    """A sound is silent if its loudest 400 ms is below this and its peaks are less than 6 dB above this."""
    clipped_share: float = 0.001
    """Maximum share of the audible samples that are hard-clipped."""
    dc: float = 0.015
    shortest_s: float = 0.01
    shortest_share: float = 0.1
    """Minimum length as a share of the requested length."""
    longest_share: float = 1.5
    """Maximum length as a multiple of the requested length."""
    silent_share: float = 0.98
    """Maximum share of silence at the ends. A take is trimmed later, so the limit is wide for sound effects."""
    noise_share: float = 0.85
    """Maximum share of unshaped noise, see `noise_share`."""
    tail_noise_db: float = 12.0
    """Maximum rise of hiss at the end above the quiet part before it."""
    seam_click: float = 1.2
    """See `Seam`: a seamless loop stays below 1."""
    seam_beat: float = 1.2
    seam_step: float = 4.0
    """Level or spectrum. The limit is wide, because a downbeat after a rest is not a fault."""


LIMITS: dict[Kind, Limits] = {
    "sfx": Limits(),
    "music": Limits(silent_lufs=-50.0, silent_share=0.3, shortest_share=0.6, noise_share=0.6),
}
"""Defaults by kind."""


def limits_of(spec: QualitySpec, kind: Kind) -> Limits:
    """The limits of ``kind``, overridden by the manifest."""
    return replace(
        LIMITS[kind],
        silent_lufs=spec.silence_lufs,
        clipped_share=spec.clipping,
        dc=spec.dc,
        noise_share=spec.noise,
        tail_noise_db=spec.tail_noise_db,
        seam_click=spec.seam,
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """The manifest's requirements for the sound; None without one."""

    seconds: float | None = None
    rate_hz: int | None = None
    loop: tuple[int, int] | None = None
    """Start and end (exclusive) in samples where the clip is meant to wrap."""


@dataclass(frozen=True, slots=True)
class Found:
    """Measurements that already exist for a clip; None will be measured."""

    measured: Measurement | None = None
    seam: Seam | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one gate; the sound fails if the gate is closed."""

    name: str
    measured: float
    limit: float
    what: str
    """Description of the fault, for the user."""
    closed: bool
    strain: float
    """How close the value is to the limit, from 0 to 1; 1 if the gate is closed."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed gate."""

    name: str
    measured: float
    limit: float
    what: str
    """Description of the fault, for the user."""

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {"name": self.name, "measured": self.measured, "limit": self.limit, "what": self.what}


def _at_most(name: str, measured: float, limit: float, what: str) -> Check:
    closed = measured > limit
    strain = 1.0 if closed else max(0.0, measured / limit) if limit > 0 else 0.0
    return Check(name, round(measured, 6), round(limit, 6), what, closed, strain)


def _at_least(name: str, measured: float, limit: float, what: str) -> Check:
    closed = measured < limit
    return Check(name, round(measured, 6), round(limit, 6), what, closed, float(closed))


def _level_checks(clip: Clip, measured: Measurement, limits: Limits) -> Iterator[Check]:
    levels = (measured.momentary_max_lufs, measured.sample_peak_dbfs)
    loudness, peak = (NOTHING_LUFS if level is None else level for level in levels)
    loudest = max(loudness, peak - PEAK_ABOVE_LOUDNESS_DB)
    yield _at_least("silence", loudest, limits.silent_lufs, "the sound is silent or next to it")
    yield _at_most("dc", standing_offset(clip), limits.dc, "the waveform stands off zero")
    yield _at_most("clipping", clipped_share(clip), limits.clipped_share, "peaks are cut flat")


def _length_checks(measured: Measurement, asked: Asked, limits: Limits) -> Iterator[Check]:
    seconds, requested_s = measured.duration_s, asked.seconds
    shortest = max(limits.shortest_s, (requested_s or 0.0) * limits.shortest_share)
    yield _at_least("too short", seconds, shortest, "the sound is shorter than allowed")
    if requested_s is not None:
        length = _at_most(
            "too long", seconds, requested_s * limits.longest_share, "the sound is longer than asked"
        )
        yield Check(
            length.name, length.measured, length.limit, length.what, length.closed, float(length.closed)
        )
    silent = min(1.0, (measured.leading_silence_s + measured.trailing_silence_s) / seconds)
    if measured.momentary_max_lufs is not None:
        yield _at_most("silent ends", silent, limits.silent_share, "most of the sound is silence")
    if asked.rate_hz is not None:
        off = float(abs(measured.sample_rate_hz - asked.rate_hz))
        yield _at_most("wrong rate", off, 0.0, f"the rate is not the {asked.rate_hz} Hz asked for")


def _noise_checks(clip: Clip, asked: Asked, limits: Limits) -> Iterator[Check]:
    yield _at_most("noise only", noise_share(clip), limits.noise_share, "the sound is nothing but noise")
    if asked.loop is None:
        what = "hiss sets in after the sound has died away"
        yield _at_most("tail noise", tail_noise_db(clip), limits.tail_noise_db, what)


def _seam_checks(seam: Seam, limits: Limits) -> Iterator[Check]:
    step = max(seam.level_step, seam.spectral_step)
    yield _at_most("loop seam", seam.click, limits.seam_click, "the loop was cut where it wraps")
    yield _at_most("loop beat", seam.beat, limits.seam_beat, "the loop loses its beat where it wraps")
    yield _at_most("loop step", step, limits.seam_step, "the sound jumps where the loop wraps")


def checks_of(clip: Clip, asked: Asked, limits: Limits, found: Found) -> tuple[Check, ...]:
    """Results of all gates that apply to ``clip``; for an unmeasurable clip only the reason."""
    broken = int(np.count_nonzero(~np.isfinite(clip.samples)))
    if broken:
        return (_at_most("not finite", broken, 0, "samples are NaN or infinite"),)
    if not clip.length:
        return (_at_least("too short", 0.0, limits.shortest_s, "the sound has no samples"),)
    measured = found.measured or measure(clip)
    checks = [
        *_level_checks(clip, measured, limits),
        *_length_checks(measured, asked, limits),
        *_noise_checks(clip, asked, limits),
    ]
    if asked.loop is not None:
        checks += _seam_checks(found.seam or measure_seam(clip, asked.loop), limits)
    return tuple(checks)


@dataclass(frozen=True, slots=True)
class QualityReport:
    """Score and failed gates of a sound."""

    score: float
    """From 0 (unusable) to 1 (nothing wrong); compare candidates by it. Above 0.9 every gate passed."""
    failures: tuple[Failure, ...]

    def with_failure(self, failure: Failure) -> QualityReport:
        """The report with one more failure, from a comparison with other sounds."""
        return QualityReport(round(max(0.01, self.score - _COST), 4), (*self.failures, failure))

    @property
    def reason(self) -> str:
        """All failures as text, with values, limits and the remedy."""
        faults = "; ".join(
            f"{one.what} ({one.name} {one.measured:g}, limit {one.limit:g})" for one in self.failures
        )
        return (
            f"quality gate: {faults}; change the prompt or the seed, make more candidates, or move the limit"
        )

    @property
    def passed(self) -> bool:
        """Whether every gate passed."""
        return not self.failures

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {"score": self.score, "failures": [failure.to_json() for failure in self.failures]}


_UNUSABLE = {"not finite", "silence", "too short"}
_COST = 0.3
_STRAIN_COST = 0.1


def score(
    clip: Clip,
    kind: Kind,
    *,
    asked_s: float | None = None,
    rate_hz: int | None = None,
    loop: tuple[int, int] | None = None,
    limits: Limits | None = None,
    found: Found | None = None,
) -> QualityReport:
    """Judge ``clip``, a take or a master.

    ``asked_s`` and ``rate_hz`` are the manifest's length and rate, ``loop`` is the start and end (exclusive) of
    the loop in samples, ``limits`` replaces the defaults of the ``kind``, ``found`` holds existing
    measurements. A clip that is not finite, silent or too short scores 0. Other failures cost 0.3 each. Values
    close to their limits cost up to 0.1 in all, so that the cleanest of the good candidates wins.
    """
    checks = checks_of(clip, Asked(asked_s, rate_hz, loop), limits or LIMITS[kind], found or Found())
    failures = tuple(
        Failure(check.name, check.measured, check.limit, check.what) for check in checks if check.closed
    )
    if any(failure.name in _UNUSABLE for failure in failures):
        return QualityReport(0.0, failures)
    strain = max((check.strain for check in checks if not check.closed), default=0.0)
    left = 1.0 - _COST * len(failures) - _STRAIN_COST * strain
    return QualityReport(round(max(0.01, left), 4), failures)
