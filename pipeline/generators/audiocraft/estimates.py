"""How long takes keep a device busy: bytes and operations of a step, steps of a schedule.

Light: no torch. docs/decoding.md has the arithmetic and where the rates come from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from pipeline.cpus import usable_cpus
from pipeline.generators.audiocraft.decoding.schedule import simulate_slots
from pipeline.generators.audiocraft.model_store import STORE
from pipeline.generators.audiocraft.models import BY_ID, FRAMES_A_SECOND, Model, unknown_model, windows
from pipeline.recipe import Recipe

USUAL_SLOTS = {"cuda": 32, "mps": 8, "cpu": 32}
"""Cues of a group decoded at once, two or three rows each: enough to share each reading of the weights."""
SLOTS_WHEN_SMALL = 8
"""Slots of a model that fits into the processor's cache, and so gains nothing from many rows."""
SMALL_WEIGHTS = 50_000_000

_CODEBOOKS, _CARD = 4, 2048
_MAGNET_STEPS = 50
"""Passes over a whole window: 20 for the first codebook, 10 for each of the others."""
USUAL_ROWS = {"cuda": 32, "mps": 4, "cpu": 8}
"""Takes of a batch. On a CPU 8 rows take about as long as one, since the weights are read once for all."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What a kind of device achieves per second in a step."""

    bytes: float
    """Bytes of weights and of cached keys and values read."""
    operations: float
    """Floating-point operations of products of some tens of rows."""
    weight_bytes: int
    cache_bytes: int
    slack: float
    """Time of a step relative to the longer of reading and multiplying, or to their sum without overlap."""
    overlap: bool
    layer_seconds: float
    """Additional time of each layer: kernel launches, Python."""
    codec_seconds: float
    """EnCodec's time per second of audio; 0 if it runs beside the steps."""


_RATES = {
    # An H200, measured by benchmarks/decode.py; half of its product rate, of which steps need little.
    "cuda": Rates(3.8e12, 4e14, 2, 2, 1.0, True, 3.7e-5, 0.0),
    # One thread of an EPYC with AVX512-bf16, measured by benchmarks/decode.py (docs/decoding.md).
    "cpu": Rates(4 / 0.155e-9, 3.5e11, 2, 2, 1.3, False, 1e-4, 0.27),
}
_RATES["mps"] = _RATES["cpu"]
START_S = 8.0
"""Seconds until a new worker has imported torch and AudioCraft."""
_LOAD_BYTES_PER_SECOND = 5e8
"""Hashing a checkpoint, reading it and preparing its weights."""


@cache
def find_model(name: str, revision: str) -> Model:
    """The model of a recipe: published, or as recorded in the model store; a small one if it is in neither."""
    if name in BY_ID:
        return BY_ID[name]
    stored = STORE.find(name, revision)
    if stored is not None and stored.model is not None:
        return stored.model
    return unknown_model(name, "music", revision)


def parameter_count(model: Model) -> int:
    """Weights of the language model: 14 dim^2 a layer, tables and output layers of four codebooks."""
    return 14 * model.dim**2 * model.layers + 2 * _CODEBOOKS * _CARD * model.dim


def group_count(kind: str, threads: int) -> int:
    """Groups of slots that a device of ``kind`` steps side by side.

    Two on a CPU with several threads, so that one computes while the other reads; more would only read the weights more
    often.
    """
    return 2 if kind == "cpu" and threads > 1 else 1


def slot_count(model: Model, kind: str) -> int:
    """Slots of ``model`` on a device of ``kind`` with enough memory."""
    if model.family == "magnet":
        return USUAL_ROWS[kind]
    return SLOTS_WHEN_SMALL if parameter_count(model) < SMALL_WEIGHTS else USUAL_SLOTS[kind]


def busy_seconds(model: Model, recipes: Sequence[Recipe], kind: str, slots: int) -> float:
    """Seconds that a device of ``kind`` needs for ``recipes``, by the decoder's own queue over ``slots``."""
    codec = _RATES[kind].codec_seconds * sum(recipe.seconds for recipe in recipes)
    if model.family == "magnet":
        return codec + _magnet_seconds(model, len(recipes), kind, slots)
    sessions: dict[int, list[tuple[int, int]]] = {}
    for recipe in recipes:
        sessions.setdefault(branch_count(recipe), []).extend(passes_of(model, recipe))
    groups = group_count(kind, usable_cpus())
    seconds = codec
    for branches, passes in sorted(sessions.items()):
        steps = simulate_slots([length - known for known, length in passes], slots * groups)
        seconds += steps * _step_seconds(model, kind, slots, branches)
        seconds += _past_positions(passes) / groups * _past_position_seconds(model, kind, branches)
    return seconds


def seconds_per_take(model: Model, recipe: Recipe, kind: str) -> float:
    """Seconds of one recipe if all slots are full."""
    slots = slot_count(model, kind)
    codec = _RATES[kind].codec_seconds * recipe.seconds
    if model.family == "magnet":
        return codec + _magnet_seconds(model, slots, kind, slots) / slots
    passes, branches = passes_of(model, recipe), branch_count(recipe)
    steps = sum(length - known for known, length in passes)
    seconds = steps * _step_seconds(model, kind, slots, branches) / slots
    return codec + seconds + _past_positions(passes) * _past_position_seconds(model, kind, branches)


def branch_count(recipe: Recipe) -> int:
    """Rows of a cue: 2 under classifier-free guidance, 3 under double guidance of a style (`sampling.guided`)."""
    return 3 if "style" in recipe.conditioning and float(recipe.settings.get("cfg_text") or 1) != 1 else 2


def load_seconds(model: Model) -> float:
    """Seconds until the model is on its device."""
    return 2.0 + 4 * parameter_count(model) / _LOAD_BYTES_PER_SECOND


def passes_of(model: Model, recipe: Recipe) -> Sequence[tuple[int, int]]:
    """Known and whole positions of each pass of a take, in steps of the delay pattern."""
    frames = max(1, math.ceil(recipe.seconds * FRAMES_A_SECOND - 1e-6))
    prompt = round(float(recipe.settings.get("prompt_s") or 0) * FRAMES_A_SECOND)
    stride = recipe.settings.get("stride_s")
    window = int(model.window_s * FRAMES_A_SECOND)
    step = int(float(stride) * FRAMES_A_SECOND) if stride else None
    passes = windows(prompt + frames, prompt, window if step else prompt + frames, step)
    return [(each.prompt, each.length + _CODEBOOKS - 1) for each in passes]


def _past_positions(passes: Sequence[tuple[int, int]]) -> float:
    """Sum of the past positions over all steps of ``passes``."""
    return sum((length**2 - known**2) / 2 for known, length in passes)


def _step_seconds(model: Model, kind: str, slots: int, branches: int) -> float:
    """Seconds of a step without reading the past. Only one branch attends to the text."""
    rates = _RATES[kind]
    reading = parameter_count(model) * rates.weight_bytes / rates.bytes
    layers = (2 + 12 * branches) * model.dim**2 * model.layers
    work = 2 * slots * (layers + branches * _CODEBOOKS * _CARD * model.dim)
    multiplying = work / rates.operations
    both = max(reading, multiplying) if rates.overlap else reading + multiplying
    return rates.slack * both + model.layers * rates.layer_seconds


def _past_position_seconds(model: Model, kind: str, branches: int) -> float:
    """Seconds for each past position of one slot: keys and values of its rows."""
    rates = _RATES[kind]
    return rates.slack * 2 * branches * model.dim * model.layers * rates.cache_bytes / rates.bytes


def _magnet_seconds(model: Model, takes: int, kind: str, rows: int) -> float:
    """Whole windows in batches, both branches of guidance; bound by arithmetic."""
    frames = int(model.window_s * FRAMES_A_SECOND)
    operations = 2.0 * 2 * rows * frames * parameter_count(model) * _MAGNET_STEPS
    return -(-takes // rows) * operations / _RATES[kind].operations
