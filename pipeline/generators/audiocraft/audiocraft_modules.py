"""AudioCraft's modules that the engine works with, imported once its stand-ins are in place.

Everything else imports them from here. Raises `MachineError` where AudioCraft or torch is not installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.generators.audiocraft.import_shims import import_audiocraft

import_audiocraft()

from audiocraft import models, quantization  # noqa: E402
from audiocraft.data import audio_utils  # noqa: E402
from audiocraft.models import builders, encodec, loaders, multibanddiffusion  # noqa: E402
from audiocraft.modules import codebooks_patterns as patterns  # noqa: E402
from audiocraft.modules import conditioners, diffusion_schedule, transformer  # noqa: E402
from audiocraft.utils import utils  # noqa: E402

__all__ = [
    "audio_utils",
    "builders",
    "conditioners",
    "diffusion_schedule",
    "encodec",
    "loaders",
    "models",
    "multibanddiffusion",
    "patterns",
    "quantization",
    "replaced",
    "transformer",
    "utils",
]


@contextmanager
def replaced(owner: object, name: str, value: object) -> Iterator[None]:
    """``value`` in place of the attribute ``name`` of ``owner``, a module or an object of AudioCraft's, for a while."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)
