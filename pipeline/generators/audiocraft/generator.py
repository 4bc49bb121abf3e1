"""The opened engine: generates takes from recipes with AudioCraft's models on one device."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from pipeline.audio import Clip
from pipeline.errors import GenerationError
from pipeline.generators.audiocraft import batch_decoding, codec, slot_decoding
from pipeline.generators.audiocraft.conditions import max_branches
from pipeline.generators.audiocraft.feed import TakeFeed
from pipeline.generators.audiocraft.import_shims import missing_packages
from pipeline.generators.audiocraft.loading import Loaded, load
from pipeline.generators.audiocraft.memory import lm_bytes_per_row, parameter_bytes, rows_that_fit
from pipeline.generators.audiocraft.models import HELPERS
from pipeline.generators.audiocraft.rendering import Renderer, redecode_take, trim_take
from pipeline.generators.audiocraft.takes import Conditions, Take
from pipeline.generators.protocol import GeneratedTake, ListedRecipes, Outcome, RecipeSource, StoredTake
from pipeline.generators.torch_device import (
    checked_device,
    device_versions,
    free_memory,
    load_in_room,
    none_if_full,
    out_of_memory_error,
)
from pipeline.recipe import Recipe

_CPU_DECODING_VERSION = "2"
"""Incremented when the tokens that a CPU samples change."""


@dataclass
class PreparedModel:
    """A loaded model, and how its takes are decoded."""

    loaded: Loaded
    slots: slot_decoding.SlotModel | None
    """None: in batches."""
    rows: int
    """Takes at once, in each group of slots; halved when memory runs out."""

    @classmethod
    def of(cls, loaded: Loaded) -> PreparedModel:
        """``loaded`` with its decoder, and as many rows as fit into memory."""
        if slot_decoding.supports(loaded):
            slots = slot_decoding.SlotModel(loaded)
            return cls(loaded, slots, slots.slots)
        frames = int(loaded.model.window_s * loaded.generator.frame_rate)
        size = torch.finfo(getattr(torch, loaded.dtype)).bits // 8
        branches = max_branches(loaded.generator)
        row = lm_bytes_per_row(loaded.model.dim, loaded.model.layers, frames, size, branches)
        return cls(loaded, None, rows_that_fit(loaded.device, row, parameter_bytes(loaded.generator.lm)))


class AudioCraftGenerator:
    """Models on one device, each loaded when a recipe first needs it."""

    def __init__(
        self,
        device: str,
        *,
        worker: Callable[[str], codec.CodecWorker] = codec.CodecWorker,
    ) -> None:
        """``worker`` creates the codec worker of a device."""
        self._device = checked_device(device)
        self._worker = worker(self._device)
        self._models: dict[tuple[str, str], PreparedModel] = {}
        self._renderer = Renderer(self._device)
        self._missing_packages = missing_packages()

    def generate(self, recipes: Sequence[Recipe], audio: Mapping[str, Clip]) -> Iterator[Outcome]:
        """Yield each recipe's take as soon as it is done; see `Generator.generate`."""
        by_model: dict[tuple[str, str], list[Recipe]] = {}
        for recipe in recipes:
            by_model.setdefault((recipe.model, recipe.revision), []).append(recipe)
        for group in by_model.values():
            yield from self.stream(ListedRecipes(group), audio)

    def stream(self, source: RecipeSource, audio: Mapping[str, Clip]) -> Iterator[Outcome]:
        """Yield each recipe's take as soon as it is done, all of one model; see `Streaming.stream`."""
        first = source.next()
        if first is None:
            return
        model = self._model(first.model, first.revision)
        feed = TakeFeed(first, source, partial(self._prepare, model, audio, {}))
        source.use_slots(model.rows * (model.slots.groups if model.slots else 1))
        yield from self._in_slots(model, model.slots, feed) if model.slots else self._in_batches(model, feed)

    def redecode(self, recipe: Recipe, stored: StoredTake) -> GeneratedTake:
        """The take of ``recipe`` from the codes of one that differs in its decoder alone; see `Redecoder.redecode`."""
        return redecode_take(self._renderer, recipe, stored)

    def software(self) -> Mapping[str, str]:
        """Versions of what the audio depends on besides the recipe."""
        versions = {name: version(name) for name in ("torch", "audiocraft", "transformers")}
        versions["melody_stems"] = (
            "none" if "demucs" in self._missing_packages else f"demucs {version('demucs')}"
        )
        if self._device.startswith("cuda"):
            with suppress(PackageNotFoundError):
                versions["triton"] = version("triton")
        versions |= device_versions(self._device)
        if self._device.startswith("cpu"):
            versions |= {"cpu_decoding": _CPU_DECODING_VERSION, "numba": version("numba")}
        return versions

    def close(self) -> None:
        """Free the device."""
        self._unload()
        free_memory()

    def _unload(self) -> None:
        self._models.clear()
        self._renderer.clear()

    def _model(self, name: str, revision: str) -> PreparedModel:
        key = (name, revision)
        if key not in self._models:
            loaded = load_in_room(lambda: load(name, revision, self._device), self._models, self._unload)
            self._models[key] = PreparedModel.of(loaded)
            self._renderer.use_codec(key, loaded.generator.compression_model)
        return self._models[key]

    def _prepare(
        self, model: PreparedModel, audio: Mapping[str, Clip], conditions: Conditions, recipe: Recipe
    ) -> Take:
        self._renderer.prepare(recipe)
        take = Take(recipe, model.loaded, audio, conditions)
        if model.slots is not None:
            model.slots.check(take)
        return take

    def _in_slots(
        self, model: PreparedModel, slot_model: slot_decoding.SlotModel, feed: TakeFeed
    ) -> Iterator[Outcome]:
        """Decode the takes of ``feed`` in slots; when memory runs out, continue with half as many slots."""
        loaded = model.loaded
        while (first := feed.next()) is not None:
            session = slot_decoding.SlotSession(slot_model, feed, first, model.rows)
            while True:
                slots = model.rows
                codec_queue: codec.CodecQueue[Take] = codec.CodecQueue(self._worker)
                numerics = {"dtype": slot_model.dtype, "rows": slots, "step": slot_model.backend}
                decoded = session.run(slots)
                while (take := none_if_full(partial(next, decoded, None))) is not None:
                    yield from self._ended(loaded, take, codec_queue, numerics)
                    yield from feed.failed()
                # Frees what the attempt allocated, for the codec.
                del decoded
                yield from self._outcomes(loaded, codec_queue.drain(), numerics)
                if not session.unfinished:
                    break
                free_memory()
                if slots == 1:
                    yield session.drop_longest().recipe, out_of_memory_error()
                model.rows = max(1, slots // 2)
            yield from feed.failed()
        yield from feed.failed()

    def _in_batches(self, model: PreparedModel, feed: TakeFeed) -> Iterator[Outcome]:
        loaded = model.loaded
        codec_queue: codec.CodecQueue[Take] = codec.CodecQueue(self._worker)
        while (first := feed.next()) is not None:
            takes = [first]
            while len(takes) < model.rows and (another := feed.next()) is not None:
                takes.append(another)
            for take in takes:
                feed.begin(take)
            for ended, rows in batch_decoding.decode_all(loaded, takes, model.rows):
                model.rows = rows
                numerics = {"dtype": loaded.dtype, "rows": rows, "step": "batches"}
                for take in ended:
                    yield from self._ended(loaded, take, codec_queue, numerics)
                # These takes were decoded with this number of rows; the next batch may have fewer.
                yield from self._outcomes(loaded, codec_queue.drain(), numerics)
            yield from feed.failed()
        yield from feed.failed()

    def _ended(
        self, loaded: Loaded, take: Take, queue: codec.CodecQueue[Take], numerics: Numerics
    ) -> Iterator[Outcome]:
        """Start decoding a take's codes; yield takes that have ended, or the take's error."""
        if take.error is not None:
            yield take.recipe, take.error
            return
        decoded = queue.put(take, take.codes, self._renderer.decoding(take.recipe))
        yield from self._outcomes(loaded, decoded, numerics)

    def _outcomes(
        self, loaded: Loaded, decoded: Iterator[tuple[Take, codec.Decoded]], numerics: Numerics
    ) -> Iterator[Outcome]:
        for take, audio in decoded:
            if isinstance(audio, GenerationError):
                yield take.recipe, audio
            else:
                codes = codec.pack(take.codes, loaded)
                clip = trim_take(audio, take.recipe, take.prompt_frames, self._renderer.rates(take.recipe))
                notes = _notes(loaded, take, codes, numerics) | self._renderer.decoder_record(take.recipe)
                take.free_tensors()
                yield take.recipe, GeneratedTake(clip, attachments={"codes": codes}, notes=notes)
                del clip, audio


Numerics = dict[str, Any]
"""What decides a take's bits besides its recipe and the software, as in its record."""


def _notes(loaded: Loaded, take: Take, codes: bytes, numerics: Numerics) -> dict[str, Any]:
    recipe = take.recipe
    notes: dict[str, Any] = {
        "checkpoint": loaded.stored.record(loaded.model.license),
        "helpers": {
            HELPERS.get(name, (name, None))[0]: revision for name, revision in loaded.helpers.items()
        },
        "codes_sha256": hashlib.sha256(codes).hexdigest(),
        "seed": recipe.seed,
        "sampling": asdict(take.sampling),
        **numerics,
        "frames": int(take.codes.shape[1]),
        "windows": [[window.start, window.prompt, window.length] for window in take.windows],
    }
    if take.prompt_frames:
        notes["prompt_frames"] = take.prompt_frames
    if take.excerpt is None:
        del notes["sampling"]["cfg_text"]
    else:
        notes["style"] = {"at_s": round(take.excerpt[0], 6), "seconds": take.excerpt[1]}
    return notes


GENERATOR = AudioCraftGenerator
