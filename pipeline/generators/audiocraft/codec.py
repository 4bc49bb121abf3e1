"""EnCodec at both ends: audio into codes for continuation, codes into audio, codes into bytes."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np
import torch

from pipeline.audio import Clip, resample
from pipeline.errors import GenerationError
from pipeline.generators.audiocraft.loading import Loaded

CODES_SCHEMA = "cuesmith.codes/1"


def waveform(clip: Clip, rate: int, channels: int) -> torch.Tensor:
    """``clip`` as a model hears it: float32 [channels, samples] at ``rate`` Hz."""
    samples = torch.from_numpy(np.ascontiguousarray(resample(clip, rate).samples))
    if samples.shape[0] == channels:
        return samples
    mono = samples.mean(dim=0, keepdim=True)
    return mono.expand(channels, -1).contiguous()


@torch.no_grad()
def encode(loaded: Loaded, samples: torch.Tensor) -> torch.Tensor:
    """Codes int64 [codebooks, frames] of ``samples`` [channels, samples] at the model's rate."""
    generator = loaded.generator
    codes, _ = generator.compression_model.encode(samples[None].to(generator.device))
    found: torch.Tensor = codes[0]
    return found


@torch.no_grad()
def decode(model: Any, codes: torch.Tensor) -> torch.Tensor:
    """Audio float32 [channels, samples] of ``codes`` [codebooks, frames], on the device of ``model``.

    ``model`` is an AudioCraft ``CompressionModel``. One take at a time: its layers fill a device with seconds of audio
    alone, and a batch's shape would be part of every take's bits.
    """
    device = next(model.parameters()).device
    audio: torch.Tensor = model.decode(codes[None].to(device), None)[0]
    return audio


def pack(codes: torch.Tensor, loaded: Loaded) -> bytes:
    """Codes as a small object (.npz) that says which codec reads it; equal codes give equal bytes."""
    about = {
        "schema": CODES_SCHEMA,
        "model": loaded.model.id,
        "revision": loaded.stored.revision,
        "frame_rate": float(loaded.generator.frame_rate),
        "sample_rate_hz": int(loaded.generator.sample_rate),
    }
    file = io.BytesIO()
    values = codes.cpu().numpy().astype(np.int16)
    np.savez_compressed(file, codes=values, about=np.array(json.dumps(about, sort_keys=True)))
    return file.getvalue()


def unpack(data: bytes) -> tuple[torch.Tensor, dict[str, Any]]:
    """Codes int64 [codebooks, frames] and what `pack` wrote about them."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            codes = torch.from_numpy(file["codes"].astype(np.int64))
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise GenerationError(
            f"these are no codes that Cuesmith wrote ({error}); generate the take again"
        ) from error
    if about.get("schema") != CODES_SCHEMA:
        raise GenerationError(
            f"codes of format {about.get('schema')!r} are not read by this release; update Cuesmith"
        )
    return codes, about
