"""EnCodec at both ends: audio into codes for continuation, codes into audio, codes into bytes.

The codec works beside the language model where the device allows. On CUDA it has a stream of its own, and the host
goes on with steps. On a CPU and on MPS there is nothing that it could overlap with: the steps use all cores, or the
one queue. Each take is decoded alone, so its bits depend neither on its neighbours nor on the time.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

import numpy as np
import torch

from pipeline.audio import Clip, resample
from pipeline.errors import GenerationError
from pipeline.generators.audiocraft.decoding.cuda.host import HostCopy
from pipeline.generators.audiocraft.loading import Loaded
from pipeline.generators.torch_device import free_memory, is_out_of_memory, out_of_memory_error

CODES_SCHEMA = "cuesmith.codes/1"


def waveform(clip: Clip, rate: int, channels: int) -> torch.Tensor:
    """``clip`` as a model's input: float32 [channels, samples] at ``rate`` Hz."""
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
    encoded: torch.Tensor = codes[0]
    return encoded


@torch.no_grad()
def decode(model: Any, codes: torch.Tensor) -> torch.Tensor:
    """Audio float32 [channels, samples] of ``codes`` [codebooks, frames], on the device of ``model``.

    ``model`` is an AudioCraft ``CompressionModel``. One take at a time: a few seconds of audio keep a device busy,
    and a batch's shape would be part of every take's bits.
    """
    device = next(model.parameters()).device
    audio: torch.Tensor = model.decode(codes[None].to(device), None)[0]
    return audio


def pack(codes: torch.Tensor, loaded: Loaded) -> bytes:
    """Codes as a small .npz file that names its codec; equal codes give equal bytes."""
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
            f"not a codes file that Cuesmith wrote ({error}); generate the take again"
        ) from error
    if about.get("schema") != CODES_SCHEMA:
        raise GenerationError(f"unknown codes format {about.get('schema')!r}; update Cuesmith")
    return codes, about


Item = TypeVar("Item")

Decoded = torch.Tensor | GenerationError
Decode = Callable[[torch.Tensor], torch.Tensor]
"""Codes [codebooks, frames] to audio [channels, samples], on the device."""


class CodecWorker:
    """Runs the codec: on CUDA on a stream of its own, for which the host does not wait, elsewhere at once."""

    def __init__(self, device: str) -> None:
        self._stream: torch.cuda.Stream | None = None
        if device.startswith("cuda"):
            self._stream = torch.cuda.Stream(torch.device(device))  # type: ignore[no-untyped-call]

    def launch(self, codes: torch.Tensor, decode: Decode) -> HostCopy:
        """Start ``decode`` of ``codes``. Raises its errors, such as `torch.OutOfMemoryError`."""
        if self._stream is None:
            return HostCopy(decode(codes).float())
        # The steps' stream wrote the codes, and must not reuse their memory before they are read.
        self._stream.wait_stream(torch.cuda.current_stream(codes.device))
        codes.record_stream(self._stream)
        with torch.cuda.stream(self._stream):
            return HostCopy(decode(codes).float())


class CodecQueue(Generic[Item]):
    """Items whose codes the codec decodes, at most ``limit`` at once, returned in order.

    If the codec fails on an item, the others go on. An item that does not fit beside the language model's cache waits
    until `drain`, when that memory may be free.
    """

    def __init__(self, worker: CodecWorker, limit: int = 8) -> None:
        self._worker, self._limit = worker, limit
        self._in_flight: deque[tuple[Item, HostCopy]] = deque()
        self._waiting: list[tuple[Item, torch.Tensor, Decode]] = []

    def put(self, item: Item, codes: torch.Tensor, decode: Decode) -> Iterator[tuple[Item, Decoded]]:
        """Start ``decode`` of ``codes`` [codebooks, frames]; yield items that have ended."""
        started = self._launch(codes, decode)
        if isinstance(started, GenerationError):
            yield item, started
        elif started is None:
            self._waiting.append((item, codes, decode))
        else:
            self._in_flight.append((item, started))
        yield from self._ended(self._limit)

    def drain(self) -> Iterator[tuple[Item, Decoded]]:
        """Wait for all other items and yield them."""
        yield from self._ended(0)
        waiting, self._waiting = self._waiting, []
        if waiting:
            free_memory()
        for item, codes, decode in waiting:
            started = self._launch(codes, decode)
            if started is None:
                yield item, out_of_memory_error()
            else:
                yield item, started if isinstance(started, GenerationError) else _audio_of(started)

    def _ended(self, limit: int) -> Iterator[tuple[Item, Decoded]]:
        while self._in_flight and (len(self._in_flight) > limit or self._in_flight[0][1].is_done()):
            item, pending = self._in_flight.popleft()
            yield item, _audio_of(pending)

    def _launch(self, codes: torch.Tensor, decode: Decode) -> HostCopy | GenerationError | None:
        """The started work, the item's error, or None if memory ran out."""
        try:
            return self._worker.launch(codes, decode)
        except Exception as error:
            return None if is_out_of_memory(error) else _codec_error(error)


def _audio_of(pending: HostCopy) -> Decoded:
    try:
        [audio] = pending.wait()
        # Pinned memory is scarce, and a clip may be held for long.
        return audio.clone()
    except RuntimeError as error:
        return _codec_error(error)


def _codec_error(error: Exception) -> GenerationError:
    line = next(iter(str(error).splitlines()), "")
    return GenerationError(
        f"the codec failed on this take ({type(error).__name__}: {line}); reject it for another seed"
    )
