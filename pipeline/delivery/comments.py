"""Vorbis comments in ogg, opus and flac files, through mutagen."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from mutagen.flac import FLAC
from mutagen.oggopus import OggOpus
from mutagen.oggvorbis import OggVorbis

_READERS: dict[str, Any] = {"ogg": OggVorbis, "opus": OggOpus, "flac": FLAC}


def with_comments(data: bytes, audio_format: str, comments: Sequence[tuple[str, str]]) -> bytes:
    """``data`` with ``comments`` before those that the encoder wrote; unchanged when there are none."""
    if not comments:
        return data
    buffer = io.BytesIO(data)
    file = _READERS[audio_format](buffer)
    if file.tags is None:
        file.add_tags()
    kept = list(file.tags)
    del file.tags[:]
    file.tags.extend([*comments, *kept])
    buffer.seek(0)
    file.save(buffer, padding=lambda _: 0)
    return buffer.getvalue()
