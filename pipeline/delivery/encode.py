"""Encode a master in any delivery format; the same input gives the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from mutagen.flac import FLAC
from mutagen.oggopus import OggOpus
from mutagen.oggvorbis import OggVorbis

from pipeline.audio import Clip, Depth, Loop, pcm_sha256, read, resample, resample_loop, wav_bytes
from pipeline.audio.decibel import level
from pipeline.delivery.codecs import (
    MP3,
    OPUS,
    OPUS_AHEAD,
    OPUS_SETTLED,
    VORBIS,
    Coding,
    flac_bytes,
    lossy_bytes,
    m4a_bytes,
    m4a_frames,
)
from pipeline.delivery.ogg import OPUS_PACKET, with_ends, with_serial, with_two_pages
from pipeline.delivery.tags import (
    Labels,
    Pairs,
    loop_comments,
    r128_gain,
    replaygain,
    vorbis_comments,
    with_atoms,
    with_comments,
    with_id3,
)
from pipeline.delivery.wav_metadata import bext_chunk, cue_chunk, info_chunk, ixml_chunk, smpl_chunk
from pipeline.errors import MasteringError, UsageError
from pipeline.formats import FORMATS
from pipeline.mastering.limiter import apply_gain, unrolled
from pipeline.mastering.measure import Measurement
from pipeline.mastering.true_peak import true_peak


@dataclass(frozen=True, slots=True)
class Content:
    """What a file contains besides the sound, and the depth of its samples."""

    depth: Depth = "24"
    """Applies to wav and flac; flac has no float and uses 24."""
    loop: Loop | None = None
    """For formats with loop points."""
    labels: Labels | None = None
    """For the tags of every format."""
    measured: Measurement | None = None
    """For the loudness fields of a wav and the loudness tags of the other formats."""
    compression: float | None = None
    """Of ogg, opus and mp3: libsndfile's compression level, 0 (the largest file) to 1; None for the usual one."""

    def comments(self, loudness: Pairs) -> list[tuple[str, str]]:
        """Vorbis comments with these loudness tags."""
        return vorbis_comments(self.labels, loop_comments(*self.loop) if self.loop else (), loudness)

    def lowered(self, gain_db: float) -> Content:
        """The same for a sound that is quieter by so many decibels."""
        if not gain_db or self.measured is None:
            return self
        loudness, peak = (
            None if value is None else value - gain_db
            for value in (self.measured.integrated_lufs, self.measured.true_peak_dbtp)
        )
        return replace(self, measured=replace(self.measured, integrated_lufs=loudness, true_peak_dbtp=peak))


_PLAIN = Content()

_REACH_S = 0.05
"""Length of the loop's start that follows its end during rate conversion."""
_TRIES = 8
_MARGIN_DB = 0.1
"""Margin below the ceiling after lossy coding: a finer meter can read this much more than `true_peak`."""
_STEP_DB = 0.05
"""Extra attenuation in each try, because the next encode moves the peaks again."""


def _coding(usual: Coding, content: Content) -> Coding:
    return usual if content.compression is None else {**usual, "compression_level": content.compression}


def _wav(clip: Clip, content: Content) -> bytes:
    chunks = []
    if content.labels:
        chunks += [
            bext_chunk(content.labels, content.measured),
            ixml_chunk(content.labels, content.measured, loop=content.loop is not None),
            info_chunk(content.labels),
        ]
    if content.loop:
        chunks += [cue_chunk(content.loop.start), smpl_chunk(clip.rate, *content.loop)]
    return wav_bytes(clip, content.depth, chunks)


def _flac(clip: Clip, content: Content) -> bytes:
    return with_comments(
        flac_bytes(clip, content.depth), FLAC, content.comments(replaygain(content.measured))
    )


def _ogg(clip: Clip, content: Content) -> bytes:
    return _finished_ogg(
        clip,
        with_two_pages(lossy_bytes(clip, _coding(VORBIS, content))),
        OggVorbis,
        content.comments(replaygain(content.measured)),
    )


def _opus(clip: Clip, content: Content) -> bytes:
    """Encode Opus with context at both ends: the loop's own sound, or silence.

    Without it the coder's filters start from silence, and a loop wraps with a step.
    """
    loop = content.loop
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
    data = with_ends(lossy_bytes(padded, _coding(OPUS, content)), before, clip.length)
    return _finished_ogg(clip, data, OggOpus, content.comments(r128_gain(content.measured)))


def _finished_ogg(clip: Clip, data: bytes, file_type: Any, comments: Pairs) -> bytes:
    """An Ogg stream with its comments; its serial number comes from the sound."""
    return with_serial(with_comments(data, file_type, comments), int(pcm_sha256(clip)[:8], 16))


def _mp3(clip: Clip, content: Content) -> bytes:
    return with_id3(lossy_bytes(clip, _coding(MP3, content)), content.labels, replaygain(content.measured))


def _m4a(clip: Clip, content: Content) -> bytes:
    return with_atoms(m4a_bytes(clip), content.labels, replaygain(content.measured))


ENCODERS: Mapping[str, Callable[[Clip, Content], bytes]] = {
    "wav": _wav,
    "flac": _flac,
    "ogg": _ogg,
    "opus": _opus,
    "mp3": _mp3,
    "m4a": _m4a,
}
"""By format. An encoder gets the clip at a rate that the format supports."""
_DECODERS = {"m4a": m4a_frames}
"""By format, where `read` would not return all decoded samples."""


def decode(data: bytes, audio_format: str) -> Clip:
    """All samples of a file that `encode` made. Raises `MachineError` for m4a without ffmpeg."""
    return _DECODERS.get(audio_format, read)(data)


def at_rate(clip: Clip, loop: Loop | None, rate: int) -> tuple[Clip, Loop | None]:
    """The clip and its loop points at ``rate`` Hz; a loop still wraps without a step."""
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


@dataclass(frozen=True, eq=False)
class Rendition:
    """A master as a file, and how far a lossy format lowered it."""

    data: bytes
    lowered_db: float
    """Attenuation that keeps the decoded file below the ceiling; usually 0.0."""
    decoded_true_peak_dbtp: float | None
    """Measured on the decoded file; None for lossless formats and without a ceiling."""


def _under_ceiling(clip: Clip, audio_format: str, content: Content, ceiling_dbtp: float) -> Rendition:
    """Encode at lower and lower gain until the decoded true peak is below the ceiling."""
    lowered_db = 0.0
    for _ in range(_TRIES):
        data = encode(apply_gain(clip, -lowered_db), audio_format, content.lowered(lowered_db))
        decoded = decode(data, audio_format)
        peak = level(true_peak(decoded, circular=content.loop == (0, decoded.length)))
        if peak is None or peak <= ceiling_dbtp - _MARGIN_DB:
            return Rendition(data, lowered_db, peak)
        lowered_db = round(lowered_db + peak - ceiling_dbtp + _MARGIN_DB + _STEP_DB, 3)
    raise MasteringError(
        f"{audio_format} exceeds {ceiling_dbtp:g} dBTP: the decoded file still peaks at {peak:.2f} dBTP after "
        f"a gain of -{lowered_db:.1f} dB; lower true_peak or leave {audio_format} out of formats"
    )


def render(
    clip: Clip, audio_format: str, content: Content = _PLAIN, *, ceiling_dbtp: float | None = None
) -> Rendition:
    """`encode`, with a true-peak check of the decoded lossy file.

    Lossy coding moves peaks. With ``ceiling_dbtp`` the file is decoded and its true peak measured; if the peak is too
    high, the sound is encoded again at a lower level. Raises `MasteringError` if the peak stays too high after 8
    tries, and all that `encode` raises.
    """
    if ceiling_dbtp is not None and audio_format in FORMATS and not FORMATS[audio_format].lossless:
        return _under_ceiling(clip, audio_format, content, ceiling_dbtp)
    return Rendition(encode(clip, audio_format, content), 0.0, None)


def encode(clip: Clip, audio_format: str, content: Content = _PLAIN) -> bytes:
    """``clip`` as a file of ``audio_format``, a name in `FORMATS`.

    The sound is resampled if the format does not support its rate. No file contains a clock time, a host or a path.
    Raises `UsageError` for an unknown format, `MachineError` for m4a without its extra.
    """
    if audio_format not in FORMATS:
        raise UsageError(f"unknown format {audio_format!r}; available: {', '.join(FORMATS)}")
    fitted, loop = at_rate(clip, content.loop, FORMATS[audio_format].rate_for(clip.rate))
    return ENCODERS[audio_format](fitted, replace(content, loop=loop))
