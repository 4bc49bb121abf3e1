"""The opened engine: recipes into takes with AudioCraft's models on one device."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from pipeline.audio import Clip
from pipeline.errors import GenerationError, MachineError
from pipeline.generators.audiocraft import batch_decoding, codec, estimates, slot_decoding
from pipeline.generators.audiocraft.conditions import max_branches
from pipeline.generators.audiocraft.import_shims import missing_packages
from pipeline.generators.audiocraft.loading import Loaded, load
from pipeline.generators.audiocraft.memory import (
    free_memory,
    lm_bytes_a_row,
    next_or_none,
    out_of_memory_error,
    parameter_bytes,
    rows_that_fit,
)
from pipeline.generators.audiocraft.models import HELPERS
from pipeline.generators.audiocraft.rendering import Renderer, redecode_take, trim_take
from pipeline.generators.audiocraft.takes import Conditions, Take
from pipeline.generators.protocol import GeneratedTake, Outcome, StoredTake
from pipeline.recipe import Recipe

_CPU_DECODING_VERSION = "2"
"""Raised when the tokens that a CPU samples change."""


class AudioCraftGenerator:
    """Models on one device, each loaded once, when a recipe first asks for it."""

    def __init__(
        self,
        device: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        worker: Callable[[str], codec.CodecWorker] = codec.worker_for,
    ) -> None:
        """``clock`` tells seconds, for the next plan's estimate; ``worker`` is where the codec of a device works."""
        self._device = _checked(device)
        self._clock = clock
        self._worker = worker(self._device)
        self._loaded: dict[tuple[str, str], Loaded] = {}
        self._rows: dict[tuple[str, str], int] = {}
        self._slot_models: dict[tuple[str, str], slot_decoding.SlotModel] = {}
        self._renderer = Renderer(self._device)
        self._missing = missing_packages()

    def generate(self, recipes: Sequence[Recipe], audio: Mapping[str, Clip]) -> Iterator[Outcome]:
        """Yield each recipe's take as soon as it is made; see `Generator.generate`."""
        by_model: dict[tuple[str, str], list[Recipe]] = {}
        for recipe in recipes:
            by_model.setdefault((recipe.model, recipe.revision), []).append(recipe)
        for key, group in by_model.items():
            began, is_new = self._clock(), key not in self._loaded
            loaded = self._model(*key)
            ready = self._clock()
            whole = True
            for recipe, outcome in self._generate(loaded, group, audio):
                whole = whole and not isinstance(outcome, GenerationError)
                yield recipe, outcome
            if whole:
                self._learn(loaded, group, self._clock() - ready, ready - began if is_new else None)

    @property
    def device_name(self) -> str:
        """The device as `speeds` knows it."""
        if self._device.startswith("cuda"):
            return str(torch.cuda.get_device_name(torch.device(self._device)))
        return estimates.processor()

    def _learn(self, loaded: Loaded, recipes: Sequence[Recipe], taken: float, load: float | None) -> None:
        """Remember for later plans how long ``recipes`` took."""
        key = (loaded.model.id, loaded.stored.revision)
        slots, kind = self._rows[key], self._device.partition(":")[0]
        estimates.record_speed(
            model=key[0],
            revision=key[1],
            device=self.device_name,
            dtype=self._slot_models[key].dtype if key in self._slot_models else loaded.dtype,
            slots=slots,
            taken=taken,
            expected=estimates.busy_seconds(loaded.model, recipes, kind, slots),
            load=load,
        )

    def redecode(self, recipe: Recipe, kept: StoredTake) -> GeneratedTake:
        """The take of ``recipe`` from the codes of one that differs in its decoder alone; see `Redecoder.redecode`."""
        return redecode_take(self._renderer, recipe, kept)

    def software(self) -> Mapping[str, str]:
        """Versions of what the audio depends on besides the recipe."""
        found = {name: version(name) for name in ("torch", "audiocraft", "transformers")}
        found["melody_stems"] = "none" if "demucs" in self._missing else f"demucs {version('demucs')}"
        if self._device.startswith("cuda"):
            with suppress(PackageNotFoundError):
                found["triton"] = version("triton")
            found["cuda"] = str(torch.version.cuda)
            found["gpu"] = torch.cuda.get_device_name(torch.device(self._device))
        else:
            # How a product is shared out among threads decides the order of its sums.
            found["threads"] = str(torch.get_num_threads())
        if self._device.startswith("cpu"):
            found |= {"cpu_decoding": _CPU_DECODING_VERSION, "numba": version("numba")}
        return found

    def close(self) -> None:
        """Free the device."""
        self._forget()
        free_memory()

    def _forget(self) -> None:
        self._loaded.clear()
        self._slot_models.clear()
        self._renderer.forget()

    def _model(self, name: str, revision: str) -> Loaded:
        key = (name, revision)
        if key not in self._loaded:
            try:
                self._loaded[key] = load(name, revision, self._device)
            except MachineError as error:
                if not self._loaded or "does not fit on" not in str(error):
                    raise
                self._forget()
            if key not in self._loaded:
                free_memory()
                self._loaded[key] = load(name, revision, self._device)
            model = self._loaded[key]
            self._rows[key] = self._prepared(key, model)
            self._renderer.adopt(key, model.generator.compression_model)
        return self._loaded[key]

    def _prepared(self, key: tuple[str, str], model: Loaded) -> int:
        """Lay ``model`` out for its decoder; returns how many takes it decodes at once."""
        if slot_decoding.supports(model):
            self._slot_models[key] = slot_decoding.SlotModel(model)
            return self._slot_models[key].slots
        frames = int(model.model.window_s * model.generator.frame_rate)
        size = torch.finfo(getattr(torch, model.dtype)).bits // 8
        branches = max_branches(model.generator)
        row = lm_bytes_a_row(model.model.dim, model.model.layers, frames, size, branches)
        return rows_that_fit(self._device, row, parameter_bytes(model.generator.lm))

    def _generate(
        self, loaded: Loaded, recipes: Sequence[Recipe], audio: Mapping[str, Clip]
    ) -> Iterator[Outcome]:
        conditions: Conditions = {}
        takes: list[Take] = []
        for recipe in recipes:
            try:
                self._renderer.prepare(recipe)
                takes.append(Take(recipe, loaded, audio, conditions))
            except GenerationError as error:
                yield recipe, error
        if slot_decoding.supports(loaded):
            yield from self._in_slots(loaded, takes)
        else:
            yield from self._in_batches(loaded, takes)

    def _in_slots(self, loaded: Loaded, pending: list[Take]) -> Iterator[Outcome]:
        """Decode ``pending`` in slots; when memory runs out, go on with half as many of them."""
        key = (loaded.model.id, loaded.stored.revision)
        model = self._slot_models[key]
        while pending:
            slots = self._rows[key]
            codec_queue: codec.CodecQueue[Take] = codec.CodecQueue(self._worker)
            how = _How(slots, model.dtype, model.backend)
            made = model.run(pending, slots)
            while (take := next_or_none(made)) is not None:
                pending.remove(take)
                if take.error is not None:
                    yield take.recipe, take.error
                else:
                    yield from self._outcomes(loaded, self._render(codec_queue, take), how)
            # What the attempt had allocated is the codec's now.
            del made
            yield from self._outcomes(loaded, codec_queue.drain(), how)
            if not pending:
                return
            free_memory()
            if slots == 1:
                worst = max(pending, key=lambda take: take.left)
                pending.remove(worst)
                yield worst.recipe, out_of_memory_error()
            self._rows[key] = max(1, slots // 2)

    def _in_batches(self, loaded: Loaded, takes: Sequence[Take]) -> Iterator[Outcome]:
        key = (loaded.model.id, loaded.stored.revision)
        codec_queue: codec.CodecQueue[Take] = codec.CodecQueue(self._worker)
        for ended, rows in batch_decoding.decode_all(loaded, takes, self._rows[key]):
            self._rows[key] = rows
            how = _How(rows, loaded.dtype, "batches")
            for take in ended:
                if take.error is not None:
                    yield take.recipe, take.error
                else:
                    yield from self._outcomes(loaded, self._render(codec_queue, take), how)
            # What is still underway was made with these rows; the next batch may have fewer.
            yield from self._outcomes(loaded, codec_queue.drain(), how)

    def _render(self, queue: codec.CodecQueue[Take], take: Take) -> Iterator[tuple[Take, codec.Decoded]]:
        """Give a take's codes to its decoder; what ended meanwhile comes back."""
        return queue.put(take, take.codes, self._renderer.decoding(take.recipe))

    def _outcomes(
        self, loaded: Loaded, decoded: Iterator[tuple[Take, codec.Decoded]], how: _How
    ) -> Iterator[Outcome]:
        for take, found in decoded:
            if isinstance(found, GenerationError):
                yield take.recipe, found
            else:
                codes = codec.pack(take.codes, loaded)
                clip = trim_take(found, take.recipe, take.prompt_frames, self._renderer.rates(take.recipe))
                notes = _notes(loaded, take, codes, how) | self._renderer.about(take.recipe)
                take.free_tensors()
                yield take.recipe, GeneratedTake(clip, attachments={"codes": codes}, notes=notes)
                del clip, found


@dataclass(frozen=True, slots=True)
class _How:
    """What of the machine decides a take's bits besides its recipe."""

    rows: int
    dtype: str
    step: str


def _notes(loaded: Loaded, take: Take, codes: bytes, how: _How) -> dict[str, Any]:
    recipe = take.recipe
    notes: dict[str, Any] = {
        "checkpoint": {
            "sha256": loaded.stored.checkpoint_sha256,
            "files": dict(loaded.stored.sources),
            "revision": loaded.stored.revision,
            "license": loaded.model.license,
        },
        "helpers": {
            HELPERS.get(name, (name, None))[0]: revision for name, revision in loaded.helpers.items()
        },
        "codes_sha256": hashlib.sha256(codes).hexdigest(),
        "seed": recipe.seed,
        "sampling": {
            "temperature": take.sampling.temperature,
            "top_k": take.sampling.top_k,
            "top_p": take.sampling.top_p,
            "cfg": take.sampling.cfg,
        },
        "dtype": how.dtype,
        "rows": how.rows,
        "step": how.step,
        "frames": int(take.codes.shape[1]),
        "windows": [[window.start, window.prompt, window.length] for window in take.windows],
    }
    if take.prompt_frames:
        notes["prompt_frames"] = take.prompt_frames
    if take.excerpt is not None:
        notes["sampling"]["cfg_text"] = take.sampling.cfg_text
        notes["style"] = {"at_s": round(take.excerpt[0], 6), "seconds": take.excerpt[1]}
    return notes


def _checked(device: str) -> str:
    kind = device.partition(":")[0]
    if kind == "cuda":
        if not torch.cuda.is_available():
            raise MachineError(
                f"device {device}: torch {torch.__version__} sees no CUDA device; install the CUDA build of torch and "
                "a driver, or use --devices cpu"
            )
        index = torch.device(device).index or 0
        if index >= torch.cuda.device_count():
            raise MachineError(
                f"device {device}: there are {torch.cuda.device_count()} CUDA devices, counted from 0; "
                "cuesmith doctor lists them"
            )
        # A worker has one device: streams and graphs that name none shall mean this one.
        torch.cuda.set_device(index)
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
    if kind == "mps" and not torch.backends.mps.is_available():
        raise MachineError(f"device {device}: this machine has no MPS; use --devices cpu")
    return device
