"""The delivery formats: one row each, read by manifests, encoding, signing, exports, the report and the review server.

To add a format, add a row here and its encoder to `ENCODERS` in `pipeline/delivery/encode.py`.
"""

from __future__ import annotations

from typing import NamedTuple

SIDECAR = ".c2pa"
"""Ending of the credentials' own file, for formats that cannot hold them: ``sound.ogg.c2pa``."""


class AudioFormat(NamedTuple):
    """What a format is, and what a file of it can hold."""

    name: str
    """The name in manifests, and the ending of the files."""
    codec: str
    mime_type: str
    lossless: bool = False
    float_samples: bool = False
    """Whether it stores ``bit_depth: float``."""
    rates: tuple[int, ...] | None = None
    """Sample rates in Hz that the format supports; None for any."""
    file_rate: int | None = None
    """The sample rate of every file in Hz; None for the rate of the sound."""
    loop_points: str | None = None
    """Where a file stores loop points; None for a format that has no place for them."""
    tags: str = ""
    """Where a file stores its labels."""
    holds_credentials: bool = True
    """False for a format that needs a file with the ending `SIDECAR` beside the sound."""
    needs_ffmpeg: bool = False
    """Whether its encoder needs the extra ``m4a``: pydub and ffmpeg."""

    @property
    def suffix(self) -> str:
        """Ending of the file's name, with its dot."""
        return f".{self.name}"

    def rate_for(self, rate: int) -> int:
        """Sample rate of the file for a sound at ``rate``: the same, else the next higher, else the highest."""
        if self.file_rate is not None:
            return self.file_rate
        if self.rates is None or rate in self.rates:
            return rate
        return min((higher for higher in self.rates if higher > rate), default=max(self.rates))


_MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_OPUS_RATES = (8_000, 16_000, 24_000, 48_000)
_COMMENTS = "Vorbis comments"
_LOOP_COMMENTS = "`LOOPSTART` and `LOOPLENGTH`"

# In the order in which a browser plays them best: the report plays the first that a master has.
_ROWS = (
    AudioFormat(
        "wav",
        "PCM",
        "audio/wav",
        lossless=True,
        float_samples=True,
        loop_points="`smpl` and `cue `",
        tags="`bext`, `iXML` and `LIST INFO`",
    ),
    AudioFormat("flac", "FLAC", "audio/flac", lossless=True, loop_points=_LOOP_COMMENTS, tags=_COMMENTS),
    AudioFormat(
        "ogg", "Vorbis", "audio/ogg", loop_points=_LOOP_COMMENTS, tags=_COMMENTS, holds_credentials=False
    ),
    AudioFormat(
        "opus",
        "Opus",
        "audio/ogg",
        rates=_OPUS_RATES,
        file_rate=48_000,
        loop_points=_LOOP_COMMENTS,
        tags=_COMMENTS,
        holds_credentials=False,
    ),
    AudioFormat("mp3", "MPEG Layer III", "audio/mpeg", rates=_MP3_RATES, tags="ID3v2.4"),
    AudioFormat("m4a", "AAC", "audio/mp4", tags="MP4 atoms", needs_ffmpeg=True),
)

FORMATS = {row.name: row for row in _ROWS}
"""By name."""
FORMAT_NAMES = tuple(FORMATS)
ANY_FORMAT = f"{', '.join(FORMAT_NAMES[:-1])} or {FORMAT_NAMES[-1]}"
"""All names, for a message."""

TARGET_FORMATS = {
    "godot": ("wav", "ogg", "mp3"),
    "godot3": ("wav", "ogg"),
    "unity": ("wav", "ogg", "mp3"),
    "unreal": ("wav", "flac", "ogg"),
    "wwise": ("wav",),
    "wwise2024": ("wav",),
    "fmod": ("wav", "flac", "ogg", "mp3"),
}
"""What each target of `cuesmith export` imports, the format to prefer first."""


def format_of(suffix: str) -> AudioFormat | None:
    """The format of files that end in ``suffix``, such as ``.wav``; None for a file that is no delivery."""
    return FORMATS.get(suffix.lower().removeprefix("."))
