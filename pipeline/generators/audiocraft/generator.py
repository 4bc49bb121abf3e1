"""The opened engine: generates takes from recipes with AudioCraft's models on one device."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
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
from pipeline.generators.audiocraft.memory import (
    lm_bytes_per_row,
    next_or_none,
    parameter_bytes,
    rows_that_fit,
)
from pipeline.generators.audiocraft.models import HELPERS
from pipeline.generators.audiocraft.rendering import Renderer, redecode_take, trim_take
from pipeline.generators.audiocraft.takes import Conditions, Take
from pipeline.generators.protocol import GeneratedTake, ListedRecipes, Outcome, RecipeSource, StoredTake
from pipeline.generators.torch_device import (
    checked_device,
    free_memory,
    load_in_room,
    out_of_memory_error,
)
from pipeline.recipe import Recipe

_CPU_DECODING_VERSION = "2"
"""Incremented when the tokens that a CPU samples change."""


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
        self._loaded: dict[tuple[str, str], Loaded] = {}
        self._rows: dict[tuple[str, str], int] = {}
        self._slot_models: dict[tuple[str, str], slot_decoding.SlotModel] = {}
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
        key = first.model, first.revision
        loaded = self._model(*key)
        feed = TakeFeed(first, source, partial(self._prepare, loaded, audio, {}))
        slots = slot_decoding.supports(loaded)
        source.use_slots(self._rows[key] * (self._slot_models[key].groups if slots else 1))
        yield from self._in_slots(loaded, feed) if slots else self._in_batches(loaded, feed)

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
            versions["cuda"] = str(torch.version.cuda)
            versions["gpu"] = torch.cuda.get_device_name(torch.device(self._device))
        else:
            # The number of threads decides the order of sums in a product.
            versions["threads"] = str(torch.get_num_threads())
        if self._device.startswith("cpu"):
            versions |= {"cpu_decoding": _CPU_DECODING_VERSION, "numba": version("numba")}
        return versions

    def close(self) -> None:
        """Free the device."""
        self._unload()
        free_memory()

    def _unload(self) -> None:
        self._loaded.clear()
        self._slot_models.clear()
        self._renderer.clear()

    def _model(self, name: str, revision: str) -> Loaded:
        key = (name, revision)
        if key not in self._loaded:
            model = load_in_room(lambda: load(name, revision, self._device), self._loaded, self._unload)
            self._loaded[key] = model
            self._rows[key] = self._prepare_decoder(key, model)
            self._renderer.use_codec(key, model.generator.compression_model)
        return self._loaded[key]

    def _prepare_decoder(self, key: tuple[str, str], model: Loaded) -> int:
        """Prepare the decoder of ``model``; return how many takes it decodes at once."""
        if slot_decoding.supports(model):
            self._slot_models[key] = slot_decoding.SlotModel(model)
            return self._slot_models[key].slots
        frames = int(model.model.window_s * model.generator.frame_rate)
        size = torch.finfo(getattr(torch, model.dtype)).bits // 8
        branches = max_branches(model.generator)
        row = lm_bytes_per_row(model.model.dim, model.model.layers, frames, size, branches)
        return rows_that_fit(self._device, row, parameter_bytes(model.generator.lm))

    def _prepare(
        self, loaded: Loaded, audio: Mapping[str, Clip], conditions: Conditions, recipe: Recipe
    ) -> Take:
        self._renderer.prepare(recipe)
        take = Take(recipe, loaded, audio, conditions)
        if loaded.key in self._slot_models:
            self._slot_models[loaded.key].check(take)
        return take

    def _in_slots(self, loaded: Loaded, feed: TakeFeed) -> Iterator[Outcome]:
        """Decode the takes of ``feed`` in slots; when memory runs out, continue with half as many slots."""
        key = loaded.key
        model = self._slot_models[key]
        while (first := feed.next()) is not None:
            session = slot_decoding.SlotSession(model, feed, first, self._rows[key])
            while True:
                slots = self._rows[key]
                codec_queue: codec.CodecQueue[Take] = codec.CodecQueue(self._worker)
                numerics = {"dtype": model.dtype, "rows": slots, "step": model.backend}
                decoded = session.run(slots)
                while (take := next_or_none(decoded)) is not None:
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
                self._rows[key] = max(1, slots // 2)
            yield from feed.failed()
        yield from feed.failed()

    def _in_batches(self, loaded: Loaded, feed: TakeFeed) -> Iterator[Outcome]:
        key = loaded.key
        codec_queue: codec.CodecQueue[Take] = codec.CodecQueue(self._worker)
        while (first := feed.next()) is not None:
            takes = [first]
            while len(takes) < self._rows[key] and (another := feed.next()) is not None:
                takes.append(another)
            for take in takes:
                feed.begin(take)
            for ended, rows in batch_decoding.decode_all(loaded, takes, self._rows[key]):
                self._rows[key] = rows
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
