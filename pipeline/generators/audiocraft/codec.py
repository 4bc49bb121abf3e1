"""EnCodec at both ends: audio into codes for continuation, codes into audio in micro-batches, codes into bytes."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from pipeline.audio import Clip, resample
from pipeline.errors import GenerationError
from pipeline.generators.audiocraft.loading import Loaded
from pipeline.generators.audiocraft.memory import codec_rows

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
def decode(model: Any, device: str, codes: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Audio float32 [channels, samples] of each of ``codes`` [codebooks, frames], on the CPU.

    ``model`` is an AudioCraft ``CompressionModel`` on ``device``. Codes of one length go together, always as many as
    the device has room for, so that neighbours change no bit.
    """
    audio: dict[int, torch.Tensor] = {}
    by_length: dict[int, list[int]] = {}
    for index, one in enumerate(codes):
        by_length.setdefault(one.shape[1], []).append(index)
    for frames, indices in by_length.items():
        room = codec_rows(device, frames / model.frame_rate)
        for first in range(0, len(indices), room):
            part = indices[first : first + room]
            batch = torch.stack([codes[index] for index in [*part, *part[:1] * (room - len(part))]])
            decoded = model.decode(batch.to(device), None).float().cpu()
            audio.update(zip(part, decoded, strict=False))
    return [audio[index] for index in range(len(codes))]


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
