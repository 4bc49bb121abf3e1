"""Loop points for Godot: its Ogg importer ignores comments, so the points go into an import settings file.

Godot stores the import settings of ``music.ogg`` in ``music.ogg.import`` next to it. If that file exists before the
first import, Godot uses its parameters and adds the rest. A WAV needs no such file: its points are in ``smpl``.
"""

from __future__ import annotations

from typing import Literal

_IMPORTERS = {3: ("ogg_vorbis", "AudioStreamOGGVorbis"), 4: ("oggvorbisstr", "AudioStreamOggVorbis")}
_DIGITS = 6
"""Decimals of an offset in seconds. Godot stores it in single precision: exact to the sample for some minutes."""


def ogg_import(rate: int, loop: tuple[int, int] | None, version: Literal[3, 4] = 3) -> str:
    """The text of ``NAME.ogg.import``, for an Ogg Vorbis file at ``rate`` Hz and Godot's main ``version``.

    ``loop`` is start and end (exclusive) in samples; Godot jumps back to the start at the end of the
    file, where our loops end. None for a sound that plays once.
    """
    importer, kind = _IMPORTERS[version]
    offset = round(loop[0] / rate, _DIGITS) if loop else 0.0
    return (
        f'[remap]\n\nimporter="{importer}"\ntype="{kind}"\n\n'
        f"[params]\n\nloop={'true' if loop else 'false'}\nloop_offset={offset}\n"
    )
