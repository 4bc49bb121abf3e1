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
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch

from pipeline.audio import Clip, resample
from pipeline.errors import GenerationError
from pipeline.generators.audiocraft.loading import Loaded
from pipeline.generators.audiocraft.memory import free_memory, is_out_of_memory, out_of_memory_error

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


Item = TypeVar("Item")

Decoded = torch.Tensor | GenerationError
Decode = Callable[[torch.Tensor], torch.Tensor]
"""Codes [codebooks, frames] to audio [channels, samples], on the device."""


class PendingAudio(Protocol):
    """Work that was given to a worker."""

    def is_done(self) -> bool:
        """Whether `audio` would not wait."""
        ...

    def audio(self) -> torch.Tensor:
        """The result, on the CPU; waits for it."""
        ...


class CodecWorker(Protocol):
    """Where the codec works."""

    def launch(self, codes: torch.Tensor, decode: Decode) -> PendingAudio:
        """Begin ``decode`` of ``codes``. Raises what it raises, `torch.OutOfMemoryError` among it."""
        ...


def worker_for(device: str) -> CodecWorker:
    """The worker that suits ``device``."""
    return CudaStreamWorker(torch.device(device)) if device.startswith("cuda") else InlineWorker()


class InlineWorker:
    """The codec works at once, and everything else waits."""

    def launch(self, codes: torch.Tensor, decode: Decode) -> PendingAudio:
        """See `CodecWorker.launch`."""
        return _Done(decode(codes).float().cpu())


class _Done:
    def __init__(self, audio: torch.Tensor) -> None:
        self._audio = audio

    def is_done(self) -> bool:
        return True

    def audio(self) -> torch.Tensor:
        return self._audio


class CudaStreamWorker:
    """The codec works on a CUDA stream of its own, and the host waits for nothing."""

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def launch(self, codes: torch.Tensor, decode: Decode) -> PendingAudio:
        """See `CodecWorker.launch`."""
        # The codes were written by the steps' stream, and must not be given to it again before they are read.
        self._stream.wait_stream(torch.cuda.current_stream(codes.device))
        codes.record_stream(self._stream)
        with torch.cuda.stream(self._stream):
            audio = decode(codes).float()
            host = torch.empty(audio.shape, dtype=audio.dtype, pin_memory=True)
            host.copy_(audio, non_blocking=True)
            done = torch.cuda.Event()  # type: ignore[no-untyped-call]
            done.record(self._stream)
        return _OnStream(host, done)


class _OnStream:
    def __init__(self, host: torch.Tensor, done: torch.cuda.Event) -> None:
        self._host, self._done = host, done

    def is_done(self) -> bool:
        return bool(self._done.query())  # type: ignore[no-untyped-call]

    def audio(self) -> torch.Tensor:
        self._done.synchronize()
        # Pinned memory is scarce, and a clip may live long.
        return self._host.clone()


class CodecQueue(Generic[Item]):
    """Items whose codes are on their way through the codec: ``most`` at once, given back in the order of their coming.

    An item that the codec fails on costs nobody else anything. One that found no memory beside the language model's
    cache waits until `drain`, when that may be free.
    """

    def __init__(self, worker: CodecWorker, most: int = 8) -> None:
        self._worker, self._most = worker, most
        self._underway: deque[tuple[Item, PendingAudio]] = deque()
        self._no_room: list[tuple[Item, torch.Tensor, Decode]] = []

    def __len__(self) -> int:
        """Items that were put and not given back."""
        return len(self._underway) + len(self._no_room)

    def put(self, item: Item, codes: torch.Tensor, decode: Decode) -> Iterator[tuple[Item, Decoded]]:
        """Let ``decode`` begin with ``codes`` [codebooks, frames]; gives back what ended."""
        found = self._launched(codes, decode)
        if isinstance(found, GenerationError):
            yield item, found
        elif found is None:
            self._no_room.append((item, codes, decode))
        else:
            self._underway.append((item, found))
        yield from self._ended(self._most)

    def drain(self) -> Iterator[tuple[Item, Decoded]]:
        """All the rest, waiting for it."""
        yield from self._ended(0)
        waiting, self._no_room = self._no_room, []
        if waiting:
            free_memory()
        for item, codes, decode in waiting:
            found = self._launched(codes, decode)
            if found is None:
                yield item, out_of_memory_error()
            else:
                yield item, found if isinstance(found, GenerationError) else _audio_of(found)

    def _ended(self, most: int) -> Iterator[tuple[Item, Decoded]]:
        while self._underway and (len(self._underway) > most or self._underway[0][1].is_done()):
            item, pending = self._underway.popleft()
            yield item, _audio_of(pending)

    def _launched(self, codes: torch.Tensor, decode: Decode) -> PendingAudio | GenerationError | None:
        """The codec at work; the item's error, or None where memory ran out."""
        try:
            return self._worker.launch(codes, decode)
        except Exception as error:
            return None if is_out_of_memory(error) else _broke(error)


def _audio_of(pending: PendingAudio) -> Decoded:
    try:
        return pending.audio()
    except RuntimeError as error:
        return _broke(error)


def _broke(error: Exception) -> GenerationError:
    line = next(iter(str(error).splitlines()), "")
    return GenerationError(
        f"the codec failed on this take ({type(error).__name__}: {line}); reject it for another seed"
    )
