"""Which MultiBand Diffusion decodes a model's codes. Light: no torch.

A local checkpoint may have its own in a folder ``multiband-diffusion`` beside its files; every other is decoded by the
one that AudioCraft publishes for mono MusicGen.
"""

from __future__ import annotations

from pipeline.generators.audiocraft import local, model_store
from pipeline.generators.audiocraft.models import HELPERS, MBD, UNPINNED

FILE = "mbd_musicgen_32khz.th"
FOLDER = "multiband-diffusion"


def weights_for(model: str, start: str = "") -> str:
    """``<name>@<revision>`` of the weights that decode for the model that a manifest calls ``model``,
    which as a path begins at the folder ``start``.

    Raises `MachineError` with what is wrong with a local checkpoint's own.
    """
    if local.is_path(model, start):
        own = local.folder_of(model, start) / FOLDER
        if (own / FILE).is_file():
            stored = local.read_part(own)
            return f"{stored.name}@{stored.revision}"
    revision = HELPERS[MBD][1] or model_store.pinned(MBD) or UNPINNED
    return f"{MBD}@{revision}"


def named(weights: str) -> tuple[str, str]:
    """The name and the revision that `weights_for` put together.

    >>> named("local/own@sha256:12")
    ('local/own', 'sha256:12')
    """
    name, _, revision = weights.partition("@")
    return name, revision
