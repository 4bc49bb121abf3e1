"""From the model store to AudioCraft's own model objects: MusicGen, AudioGen, MAGNeT, with nothing fetched.

AudioCraft's loaders build everything; where they would read a pickle or ask a hub, they get the files of the store.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partialmethod
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from omegaconf import OmegaConf
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers.utils import logging as transformers_logging

from pipeline.errors import MachineError
from pipeline.generators.audiocraft import style
from pipeline.generators.audiocraft.audiocraft_modules import (
    builders,
    conditioners,
    encodec,
    loaders,
    models,
    replaced,
)
from pipeline.generators.audiocraft.model_store import STORE, StoredModel, find_helper
from pipeline.generators.audiocraft.models import Model
from pipeline.generators.model_store import read_json
from pipeline.generators.pickles import mismatch
from pipeline.generators.torch_device import DoesNotFit

_LOAD_ERRORS = (
    RuntimeError,
    LookupError,
    ValueError,
    AssertionError,
    TypeError,
    AttributeError,
    OSError,
    SafetensorError,
)
"""Errors of torch, transformers, safetensors and OmegaConf for a checkpoint that is damaged or of another kind."""
_TOKENIZERS = ("spiece.model", "tokenizer.json")


@dataclass(frozen=True)
class Loaded:
    """A model on its device, and where it came from."""

    model: Model
    stored: StoredModel
    helpers: Mapping[str, str]
    """Revisions of the text encoder and codec from other repositories, by name."""
    generator: Any
    """`audiocraft.models.MusicGen`, `AudioGen` or `MAGNeT`."""
    device: str

    @property
    def dtype(self) -> str:
        """The number format of the language model's weights."""
        return str(next(iter(self.generator.lm.parameters())).dtype).removeprefix("torch.")


def load(name: str, revision: str, device: str) -> Loaded:
    """The model ``name`` at ``revision`` on ``device``; every file is verified first.

    Raises `MachineError` if the weights are not installed, differ from their record, or do not fit.
    """
    stored = STORE.require_verified(name, revision)
    if stored.model is None:
        raise MachineError(f"{name} is a part of other models and generates no audio; use one of those")
    files = _StoreFiles(stored)
    classes = {"musicgen": models.MusicGen, "audiogen": models.AudioGen, "magnet": models.MAGNeT}
    with translate_errors(name, device):
        model_class = classes[stored.model.family]
        with files.replacing_loaders(), _quiet(), _stride_of(model_class, stored.model):
            generator = model_class.get_pretrained(name, device=device)
    _check_codec(name, generator)
    return Loaded(stored.model, stored, dict(files.used), generator, device)


@contextmanager
def translate_errors(
    name: str, device: str, remedy: str = "; use a smaller model, or another device: --devices cpu"
) -> Iterator[None]:
    """Raise the libraries' errors of weights that do not fit as a `MachineError`.

    ``remedy`` is what to do if they do not fit on ``device``.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise DoesNotFit(f"{name} does not fit on {device}{remedy}") from error
    except _LOAD_ERRORS as error:
        raise MachineError(
            f"{name}: its weights do not fit its configuration ({mismatch(error)}); the checkpoint is "
            "damaged or of another kind: fetch it again"
        ) from error


def _check_codec(name: str, generator: Any) -> None:
    """Raise `MachineError` if the language model can draw a token that the codec does not have."""
    lm, codec = generator.lm, generator.compression_model
    if codec.num_codebooks < lm.num_codebooks or codec.cardinality < lm.card:
        raise MachineError(
            f"{name}: its codec belongs to another model ({codec.num_codebooks} codebooks of {codec.cardinality}; the "
            f"language model has {lm.num_codebooks} of {lm.card}); put the right compression_state_dict.bin beside its "
            "state_dict.bin"
        )


@contextmanager
def _stride_of(model_class: Any, model: Model) -> Iterator[None]:
    """Without this AudioCraft refuses a model whose window is shorter than its default stride."""
    if model.stride_s is None:
        yield
        return
    with_stride = partialmethod(model_class.set_generation_params, extend_stride=model.stride_s)
    with replaced(model_class, "set_generation_params", with_stride):
        yield


def load_codec(name: str, revision: str, device: str) -> Any:
    """Only the codec of the model ``name``, an AudioCraft ``CompressionModel``.

    Raises `MachineError` as `load` does.
    """
    stored = STORE.require_verified(name, revision, unused=("lm.safetensors",))
    config = OmegaConf.create(read_json(stored.folder / "lm.json"))
    with translate_errors(name, device), _StoreFiles(stored).replacing_loaders(), _quiet():
        codec = loaders.load_compression_model(name, device=device)
        return builders.get_wrapped_compression_model(codec, config).eval()


class _StoreFiles:
    """Gives AudioCraft and transformers their weights from the model store."""

    def __init__(self, stored: StoredModel) -> None:
        self._stored = stored
        self.used: dict[str, str] = {}

    @contextmanager
    def replacing_loaders(self) -> Iterator[None]:
        """A context in which AudioCraft's loaders read from the store."""
        with (
            replaced(loaders, "_get_state_dict", self._package),
            replaced(conditioners, "T5Tokenizer", _store_only(conditioners.T5Tokenizer, self._tokenizer)),
            replaced(conditioners, "T5EncoderModel", _store_only(conditioners.T5EncoderModel, self._helper)),
            replaced(encodec, "HFEncodecModel", _store_only(encodec.HFEncodecModel, self._helper)),
            style.style_support(self._helper),
        ):
            yield

    def _package(
        self, name: str, filename: str, device: str = "cpu", cache_dir: str | None = None
    ) -> dict[str, Any]:
        part = "lm" if filename == "state_dict.bin" else "codec"
        config = read_json(self._stored.folder / f"{part}.json")
        if "pretrained" in config:
            return dict(config)
        state = load_file(self._stored.folder / f"{part}.safetensors", device="cpu")
        return {"xp.cfg": config, "best_state": state}

    def _helper(self, name: str) -> Path:
        own_folder = self._stored.folder / name.rpartition("/")[2]
        if own_folder.is_dir():
            self.used[name] = "beside the checkpoint"
            return own_folder
        stored = find_helper(name)
        if stored is None:
            raise MachineError(
                f"{self._stored.id} needs {name}, which is not installed; run: cuesmith models fetch {name}, "
                f"or put it into the checkpoint's folder as {name.rpartition('/')[2]}/"
            )
        STORE.require_verified(stored.id, stored.revision)
        self.used[name] = stored.revision
        return stored.folder

    def _tokenizer(self, name: str) -> Path:
        """Checked, because without its files transformers silently makes a tokenizer without words."""
        folder = self._helper(name)
        if not any((folder / file).is_file() for file in _TOKENIZERS):
            raise MachineError(
                f"{self._stored.id}: its text encoder {name} has no tokenizer; put {_TOKENIZERS[0]} beside it"
            )
        return folder


def _store_only(kind: Any, folder_of: Callable[[str], Path]) -> SimpleNamespace:
    """A transformers class whose ``from_pretrained`` reads only from the model store."""
    return SimpleNamespace(
        from_pretrained=lambda name: kind.from_pretrained(folder_of(name), local_files_only=True)
    )


@contextmanager
def _quiet() -> Iterator[None]:
    transformers_logging.disable_progress_bar()
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
