"""Loop points for Godot, whose importer of Ogg looks at no comment: its settings file holds them.

Godot keeps how it imports ``music.ogg`` in ``music.ogg.import`` beside it. Where that file is there before the
first import, Godot takes its parameters and fills in the rest. A WAV needs none: its points are in ``smpl``.
"""

from __future__ import annotations

from typing import Literal

_IMPORTERS = {3: ("ogg_vorbis", "AudioStreamOGGVorbis"), 4: ("oggvorbisstr", "AudioStreamOggVorbis")}
_DIGITS = 6
"""Of an offset in seconds, which Godot keeps in single precision: to the sample for the first minutes."""


def ogg_import(rate: int, loop: tuple[int, int] | None, version: Literal[3, 4] = 3) -> str:
    """The text of ``NAME.ogg.import``, for an Ogg Vorbis file at ``rate`` Hz and Godot's main ``version``.

    ``loop`` is start and end (exclusive) in samples; Godot comes back to the start from the end of the file, where
    our loops end. None for a sound that plays once.
    """
    importer, kind = _IMPORTERS[version]
    offset = round(loop[0] / rate, _DIGITS) if loop else 0.0
    return (
        f'[remap]\n\nimporter="{importer}"\ntype="{kind}"\n\n'
        f"[params]\n\nloop={'true' if loop else 'false'}\nloop_offset={offset}\n"
    )
