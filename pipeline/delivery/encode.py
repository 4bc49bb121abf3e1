"""Encode a master in any delivery format; the same input gives the same bytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.audio import Chunk, Clip, Depth, Loop, pcm_sha256, read, resample, resample_loop, wav_bytes
from pipeline.audio.decibel import level
from pipeline.delivery.codecs import (
    MP3,
    OPUS,
    OPUS_AHEAD,
    OPUS_SETTLED,
    VORBIS,
    Coding,
    fitting_rate,
    flac_bytes,
    lossy_bytes,
    m4a_bytes,
    m4a_frames,
)
from pipeline.delivery.loop_points import cue_chunk, loop_comments, smpl_chunk
from pipeline.delivery.ogg import OPUS_PACKET, with_ends, with_serial, with_two_pages
from pipeline.delivery.tags import Labels, comments, with_atoms, with_comments, with_id3
from pipeline.delivery.wav_metadata import bext_chunk, info_chunk, ixml_chunk
from pipeline.errors import MasteringError, UsageError
from pipeline.mastering.limiter import apply_gain, unrolled
from pipeline.mastering.measure import Measurement
from pipeline.mastering.true_peak import true_peak

FORMATS = ("wav", "flac", "ogg", "opus", "mp3", "m4a")
_REACH_S = 0.05
"""Length of the loop's start that follows its end during rate conversion."""
_TRIES = 8
_MARGIN_DB = 0.1
"""Margin below the ceiling after lossy coding: a finer meter can read this much more than ours."""
_STEP_DB = 0.05
"""Extra attenuation in each try, because the next encode moves the peaks again."""
_LOSSY = {"ogg": VORBIS, "opus": OPUS, "mp3": MP3}


def _at_fitting_rate(clip: Clip, loop: Loop | None, coding: Coding) -> tuple[Clip, Loop | None]:
    """The clip at a rate that the coding supports, with its loop points at that rate."""
    rate = fitting_rate(clip.rate, coding)
    if rate == clip.rate:
        return clip, loop
    if loop == (0, clip.length):
        looped = resample_loop(clip, rate)
        return looped, Loop(0, looped.length)
    scale = rate / clip.rate
    moved = Loop(round(loop.start * scale), round(loop.end * scale)) if loop else None
    if loop is None or moved is None or loop.end != clip.length:
        return resample(clip, rate), moved
    extended = resample(unrolled(clip, loop.start, _REACH_S), rate)
    return Clip(np.ascontiguousarray(extended.samples[:, : moved.end]), rate), moved


def _wav_chunks(
    rate: int, loop: Loop | None, labels: Labels | None, measured: Measurement | None
) -> list[Chunk]:
    """The chunks before the samples of a wav."""
    described = (
        [
            bext_chunk(labels, measured),
            ixml_chunk(labels, measured, loop=loop is not None),
            info_chunk(labels),
        ]
        if labels
        else []
    )
    return [*described, *([cue_chunk(loop.start), smpl_chunk(rate, *loop)] if loop else [])]


def _opus(clip: Clip, loop: Loop | None) -> bytes:
    """Encode Opus with context at both ends: the loop's own sound, or silence.

    Without it the coder's filters start from silence, and a loop wraps with a step.
    """
    start = loop.start if loop and loop.end == clip.length else None
    after = np.zeros((clip.channels, OPUS_AHEAD), np.float32)
    if start is not None:
        after = clip.samples[:, start + np.arange(OPUS_AHEAD) % (clip.length - start)]
    before = OPUS_SETTLED if start == 0 else 0
    if OPUS_AHEAD + clip.length <= OPUS_PACKET:
        # The last packet must contain no skipped sample: see `with_ends`.
        before += OPUS_PACKET - OPUS_AHEAD
    lead = np.zeros((clip.channels, before), np.float32)
    if start == 0:
        lead = clip.samples[:, np.arange(-before, 0) % clip.length]
    padded = Clip(np.concatenate([lead, clip.samples, after], axis=1), clip.rate)
    return with_ends(lossy_bytes(padded, OPUS), before, clip.length)


def _ogg(clip: Clip, audio_format: str, loop: Loop | None, labels: Labels | None) -> bytes:
    """Encode ogg or opus at a supported rate; the stream's serial number comes from the sound."""
    data = _opus(clip, loop) if audio_format == "opus" else with_two_pages(lossy_bytes(clip, VORBIS))
    tagged = with_comments(data, audio_format, comments(labels, loop_comments(*loop) if loop else ()))
    return with_serial(tagged, int(pcm_sha256(clip)[:8], 16))


def _lossy(clip: Clip, audio_format: str, loop: Loop | None, labels: Labels | None) -> bytes:
    """Encode ogg, opus, mp3 or m4a."""
    if audio_format == "m4a":
        return with_atoms(m4a_bytes(clip), labels)
    fitted, moved = _at_fitting_rate(clip, loop, _LOSSY[audio_format])
    if audio_format == "mp3":
        return with_id3(lossy_bytes(fitted, MP3), labels)
    return _ogg(fitted, audio_format, moved, labels)


@dataclass(frozen=True, eq=False)
class Rendition:
    """A master as a file, and how far a lossy format lowered it."""

    data: bytes
    lowered_db: float
    """Attenuation that keeps the decoded file below the ceiling; usually 0.0."""
    decoded_true_peak_dbtp: float | None
    """Measured on the decoded file; None for lossless formats and without a ceiling."""


def _decoded(data: bytes, audio_format: str) -> Clip:
    return m4a_frames(data) if audio_format == "m4a" else read(data)


def _under_ceiling(
    clip: Clip, audio_format: str, loop: Loop | None, labels: Labels | None, ceiling_dbtp: float
) -> Rendition:
    """Encode at lower and lower gain until the decoded true peak is below the ceiling."""
    lowered_db = 0.0
    for _ in range(_TRIES):
        data = _lossy(apply_gain(clip, -lowered_db), audio_format, loop, labels)
        decoded = _decoded(data, audio_format)
        peak = level(true_peak(decoded, circular=loop == (0, decoded.length)))
        if peak is None or peak <= ceiling_dbtp - _MARGIN_DB:
            return Rendition(data, lowered_db, peak)
        lowered_db = round(lowered_db + peak - ceiling_dbtp + _MARGIN_DB + _STEP_DB, 3)
    raise MasteringError(
        f"{audio_format} exceeds {ceiling_dbtp:g} dBTP: the decoded file still peaks at {peak:.2f} dBTP after "
        f"a gain of -{lowered_db:.1f} dB; lower true_peak or leave {audio_format} out of formats"
    )


def render(
    clip: Clip,
    audio_format: str,
    depth: Depth = "24",
    *,
    loop: Loop | None = None,
    labels: Labels | None = None,
    measured: Measurement | None = None,
    ceiling_dbtp: float | None = None,
) -> Rendition:
    """`encode`, with a true-peak check of the decoded lossy file.

    Lossy coding moves peaks. With ``ceiling_dbtp`` the file is decoded and its true peak measured; if the peak is too
    high, the sound is encoded again at a lower level. Raises `MasteringError` if the peak stays too high after 8
    tries, and all that `encode` raises.
    """
    if ceiling_dbtp is not None and audio_format in (*_LOSSY, "m4a"):
        return _under_ceiling(clip, audio_format, loop, labels, ceiling_dbtp)
    data = encode(clip, audio_format, depth, loop=loop, labels=labels, measured=measured)
    return Rendition(data, 0.0, None)


def encode(
    clip: Clip,
    audio_format: str,
    depth: Depth = "24",
    *,
    loop: Loop | None = None,
    labels: Labels | None = None,
    measured: Measurement | None = None,
) -> bytes:
    """``clip`` as a file of ``audio_format`` ("wav", "flac", "ogg", "opus", "mp3", "m4a").

    ``depth`` applies to wav and flac (flac has no float and uses 24). ``loop`` is start and end (exclusive) in samples
    of ``clip``; wav, flac, ogg and opus store it, but mp3 and m4a do not, because their frames change the length.
    ``labels`` go into every format's tags, ``measured`` into the loudness fields of a wav. opus and mp3 are resampled
    if they do not support the rate. No file contains a clock time, a host or a path. Raises `UsageError` for an unknown
    format, `MachineError` for m4a without its extra.
    """
    if audio_format not in FORMATS:
        raise UsageError(f"unknown format {audio_format!r}; available: {', '.join(FORMATS)}")
    if audio_format == "wav":
        return wav_bytes(clip, depth, _wav_chunks(clip.rate, loop, labels, measured))
    if audio_format == "flac":
        pairs = comments(labels, loop_comments(*loop) if loop else ())
        return with_comments(flac_bytes(clip, depth), "flac", pairs)
    return _lossy(clip, audio_format, loop, labels)
