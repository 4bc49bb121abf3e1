"""AudioSeal's networks: the published checkpoints converted once, and loaded to mark a sound and to find the mark."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from audioseal import AudioSeal
from audioseal.builder import (
    AudioSealDetectorConfig,
    AudioSealWMConfig,
    create_detector,
    create_generator,
)
from audioseal.libs.moshi.utils.compile import no_compile
from audioseal.loader import (
    convert_state_dict_for_scriptable_model,
    load_local_model_config,
    load_state_dict,
)
from omegaconf import OmegaConf
from safetensors.torch import load_file

from pipeline.errors import MachineError
from pipeline.generators.model_store import StoredModel, sha256_of
from pipeline.generators.pickles import (
    OMEGACONF_NAMES,
    mismatch,
    read_pickle,
    save_weights,
    state_tensors,
    write_json,
)
from pipeline.watermarks.audioseal import DETECTOR, GENERATOR, REPOSITORY, REVISION, STORE
from pipeline.watermarks.protocol import MESSAGE_BITS

if TYPE_CHECKING:
    from pipeline.watermarks.protocol import Mono

RATE_HZ = 16_000
"""The rate of AudioSeal's training data; since release 0.2 it converts no rates itself."""
_LEAST_SAMPLES = RATE_HZ // 10
"""Shorter sounds get silence behind them: the networks need some frames."""


@dataclass(frozen=True, slots=True)
class _Network:
    """One of the two networks."""

    name: str
    checkpoint: str
    card: str
    """AudioSeal's own name of the sizes."""
    config: type
    create: Callable[[Any], Any]

    def build(self, config: Mapping[str, Any]) -> Any:
        """The network with these sizes and random weights."""
        return self.create(AudioSeal.parse_config(dict(config), config_type=self.config)).eval()


_GENERATOR = _Network("generator", GENERATOR, "audioseal_wm_16bits", AudioSealWMConfig, create_generator)
_DETECTOR = _Network(
    "detector", DETECTOR, "audioseal_detector_16bits", AudioSealDetectorConfig, create_detector
)


def convert(folder: Path) -> StoredModel[dict[str, Any]]:
    """Bring the published checkpoints in ``folder`` into the model store.

    Raises `MachineError` with the file and what is wrong with it.
    """
    sources = {file: sha256_of(folder / file) for file in (GENERATOR, DETECTOR)}
    with STORE.new_folder(REPOSITORY, REVISION) as target:
        for network in (_GENERATOR, _DETECTOR):
            config, weights = _read(network, folder / network.checkpoint)
            write_json(target / f"{network.name}.json", config)
            save_weights(weights, target / f"{network.name}.safetensors")
        STORE.write_record(target, REPOSITORY, REVISION, None, sources)
    return STORE.require(REPOSITORY, REVISION)


def _read(network: _Network, path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Sizes and weights of a published checkpoint, without weight normalisation."""
    package = read_pickle(path, OMEGACONF_NAMES)
    best = package.get("best_state", package)
    weights = state_tensors(best.get("model", best) if isinstance(best, Mapping) else best)
    if weights is None:
        raise MachineError(f"{path}: has no model of tensors; fetch it again")
    config: Any = OmegaConf.to_container(load_local_model_config(network.card))
    module = network.build(config)
    converted = convert_state_dict_for_scriptable_model(weights)
    lacking = sorted(set(module.state_dict()) - set(map(_plain_name, converted)))
    try:
        if lacking:
            raise RuntimeError(f"it has no {lacking[0]}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # its way to normalise weights is deprecated
            load_state_dict(module, converted)
    except (RuntimeError, AssertionError, AttributeError) as error:
        raise MachineError(
            f"{path}: its weights do not fit AudioSeal's network ({mismatch(error)}); report this as a bug"
        ) from error
    return config, state_tensors(module.state_dict()) or {}


def _plain_name(name: str) -> str:
    """A weight's name without weight normalisation, which AudioSeal removes as it loads."""
    stem, dot, last = name.replace(".parametrizations.weight.original1", ".weight_v").rpartition(".")
    return f"{stem}{dot}{'weight' if last == 'weight_v' else last}"


@contextmanager
def _reproducible() -> Iterator[None]:
    """One thread, since sums depend on their number; no compiler, which takes longer than the work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode(), no_compile():
            yield
    finally:
        torch.set_num_threads(threads)


def _batch(sound: Mono) -> torch.Tensor:
    """``sound`` as AudioSeal takes it, shape [1, 1, samples]."""
    tensor = torch.from_numpy(sound.copy())[None, None]
    return torch.nn.functional.pad(tensor, (0, max(0, _LEAST_SAMPLES - tensor.shape[-1])))


class AudioSealWatermarker:
    """Both networks on the CPU."""

    rate_hz = RATE_HZ

    def __init__(self, folder: Path) -> None:
        """Load from ``folder``, which `convert` filled, when a network is needed."""
        self._folder = folder

    def mark(self, sound: Mono, message: int) -> Mono:
        """See `Watermarker.mark`."""
        bits = torch.tensor([[message >> place & 1 for place in range(MESSAGE_BITS)]])
        with _reproducible():
            made = self._generator.get_watermark(_batch(sound), message=bits)
        mark: Mono = made[0, 0, : sound.size].numpy()
        return mark

    def find(self, sound: Mono) -> tuple[Mono, Mono]:
        """See `Watermarker.find`."""
        with _reproducible():
            presence, bits = self._detector(_batch(sound))
        return presence[0, 1, : sound.size].numpy(), bits[0].numpy()

    @cached_property
    def _generator(self) -> Any:
        return self._load(_GENERATOR)

    @cached_property
    def _detector(self) -> Any:
        return self._load(_DETECTOR)

    def _load(self, network: _Network) -> Any:
        path = self._folder / f"{network.name}.safetensors"
        try:
            module = network.build(json.loads((self._folder / f"{network.name}.json").read_text("utf-8")))
            module.load_state_dict(load_file(path))
        except Exception as error:  # safetensors and torch raise many types of error for damaged files
            raise MachineError(
                f"{path}: cannot be loaded ({mismatch(error)}); check it: cuesmith models verify --engine audioseal"
            ) from error
        return module
