"""AudioCraft's modules, imported after the substitutes of missing packages are in place.

All other modules import them from here. Raises `MachineError` if AudioCraft or torch is not installed; apart from
`import_shims` for that reason, since `probe` must be able to report it.
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
    """A context in which the attribute ``name`` of ``owner``, a module or object of AudioCraft, is ``value``."""
    original = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, original)
