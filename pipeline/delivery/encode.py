"""A master becomes a file: one function, every format, equal work equal bytes."""

from __future__ import annotations

from pipeline.audio import Clip, Depth, pcm_sha256, resample, resample_loop, wav_bytes
from pipeline.delivery.comments import with_comments
from pipeline.delivery.loop_points import loop_comments, smpl_chunk
from pipeline.delivery.m4a import m4a_bytes
from pipeline.delivery.ogg import with_serial
from pipeline.delivery.sndfile import MP3, OPUS, VORBIS, Coding, fitting_rate, flac_bytes, lossy_bytes
from pipeline.errors import UsageError

Loop = tuple[int, int]

FORMATS = ("wav", "flac", "ogg", "opus", "mp3", "m4a")
_LOSSY = {"ogg": VORBIS, "opus": OPUS, "mp3": MP3}


def _at_fitting_rate(clip: Clip, loop: Loop | None, coding: Coding) -> tuple[Clip, Loop | None]:
    """The clip at a rate that the coding holds, its loop points moved with it."""
    rate = fitting_rate(clip.rate, coding)
    if rate == clip.rate:
        return clip, loop
    if loop == (0, clip.length):
        looped = resample_loop(clip, rate)
        return looped, (0, looped.length)
    scale = rate / clip.rate
    moved = (round(loop[0] * scale), round(loop[1] * scale)) if loop else None
    return resample(clip, rate), moved


def _lossy(clip: Clip, audio_format: str, loop: Loop | None) -> bytes:
    """ogg, opus or mp3."""
    coding = _LOSSY[audio_format]
    fitted, moved = _at_fitting_rate(clip, loop, coding)
    data = lossy_bytes(fitted, coding)
    if audio_format == "mp3":
        return data
    tagged = with_comments(data, audio_format, loop_comments(*moved) if moved else ())
    return with_serial(tagged, int(pcm_sha256(fitted)[:8], 16))


def encode(clip: Clip, audio_format: str, depth: Depth = "24", *, loop: Loop | None = None) -> bytes:
    """``clip`` as a file of ``audio_format`` ("wav", "flac", "ogg", "opus", "mp3", "m4a").

    ``depth`` counts for wav and flac (flac has no float and takes 24). ``loop`` is start and end
    (exclusive) in samples of ``clip``; wav, flac, ogg and opus carry it, mp3 and m4a, whose frames do not
    keep lengths, do not. opus and mp3 are resampled where they cannot hold the rate. No file holds a clock
    time, a host or a path. Raises `UsageError` for a format that is not one of these, `MachineError` for
    m4a without its extra.
    """
    if audio_format == "wav":
        return wav_bytes(clip, depth, [smpl_chunk(clip.rate, *loop)] if loop else [])
    if audio_format == "flac":
        return with_comments(flac_bytes(clip, depth), "flac", loop_comments(*loop) if loop else ())
    if audio_format in _LOSSY:
        return _lossy(clip, audio_format, loop)
    if audio_format == "m4a":
        return m4a_bytes(clip)
    raise UsageError(f"format {audio_format!r} is not known; choose from {', '.join(FORMATS)}")
