"""From the model store to AudioCraft's own model objects: MusicGen, AudioGen, MAGNeT, with nothing fetched.

AudioCraft's loaders build everything; only the places where they would read a pickle or ask a hub are turned to
the files of the store.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partialmethod
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers.utils import logging as chatter

from pipeline.errors import MachineError, VerificationError
from pipeline.generators.audiocraft import model_store, style
from pipeline.generators.audiocraft.audiocraft_modules import (
    builders,
    conditioners,
    encodec,
    loaders,
    models,
    replaced,
)
from pipeline.generators.audiocraft.conditions import add_text_masks
from pipeline.generators.audiocraft.models import HELPERS, Model
from pipeline.generators.audiocraft.pickles import mismatch

_UNFIT = (
    RuntimeError,
    LookupError,
    ValueError,
    AssertionError,
    TypeError,
    AttributeError,
    OSError,
    SafetensorError,
)
"""What torch, transformers, safetensors and OmegaConf raise of a checkpoint that is damaged or of another kind."""
_TOKENIZERS = ("spiece.model", "tokenizer.json")


@dataclass(frozen=True)
class Loaded:
    """A model on its device, ready to generate, and where it came from."""

    model: Model
    stored: model_store.StoredModel
    helpers: Mapping[str, str]
    """Text encoder and codec of other repositories, by name: their revision."""
    generator: Any
    """`audiocraft.models.MusicGen`, `AudioGen` or `MAGNeT`."""
    device: str

    @property
    def dtype(self) -> str:
        """The number format of the language model's weights."""
        return str(next(iter(self.generator.lm.parameters())).dtype).removeprefix("torch.")


def load(name: str, revision: str, device: str) -> Loaded:
    """The model ``name`` at ``revision`` on ``device``; every file is hashed first.

    Raises `MachineError` when the weights are not here, differ from their record, or do not fit.
    """
    stored = model_store.require(name, revision)
    _verified(stored)
    if stored.model is None:
        raise MachineError(f"{name} is a part of other models and makes no audio itself; name one of those")
    library = _Library(stored)
    makers = {"musicgen": models.MusicGen, "audiogen": models.AudioGen, "magnet": models.MAGNeT}
    with _told(name, device):
        maker = makers[stored.model.family]
        with library.opened(), _quiet(), _stride_of(maker, stored.model):
            generator = maker.get_pretrained(name, device=device)
    _check_codec(name, generator)
    add_text_masks(generator.lm)
    return Loaded(stored.model, stored, dict(library.used), generator, device)


@contextmanager
def _told(name: str, device: str) -> Iterator[None]:
    """Turns what the libraries raise of weights that do not fit into a `MachineError`."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise MachineError(
            f"{name} does not fit on {device}; use a smaller model, or another device: --devices cpu"
        ) from error
    except _UNFIT as error:
        raise MachineError(
            f"{name}: its weights do not fit its configuration ({mismatch(error)}); the checkpoint is "
            "damaged or of another kind: fetch it again"
        ) from error


def _check_codec(name: str, generator: Any) -> None:
    """Raises `MachineError` where the codec has no code for some token that the language model can draw."""
    lm, codec = generator.lm, generator.compression_model
    if codec.num_codebooks < lm.num_codebooks or codec.cardinality < lm.card:
        raise MachineError(
            f"{name}: its codec is another model's ({codec.num_codebooks} codebooks of {codec.cardinality}; the "
            f"language model writes {lm.num_codebooks} of {lm.card}); put the compression_state_dict.bin that belongs "
            "to it beside its state_dict.bin"
        )


@contextmanager
def _stride_of(maker: Any, model: Model) -> Iterator[None]:
    """AudioCraft builds no model whose window is shorter than its default stride, unless told another."""
    if model.stride_s is None:
        yield
        return
    own = partialmethod(maker.set_generation_params, extend_stride=model.stride_s)
    with replaced(maker, "set_generation_params", own):
        yield


def load_codec(name: str, revision: str, device: str) -> Any:
    """The codec alone of the model ``name``, an AudioCraft ``CompressionModel``: what codes need to become audio.

    Raises `MachineError` as `load` does.
    """
    stored = model_store.require(name, revision)
    _verified(stored, unused=("lm.safetensors",))
    config = OmegaConf.create(model_store.read_json(stored.folder / "lm.json"))
    with _told(name, device), _Library(stored).opened(), _quiet():
        codec = loaders.load_compression_model(name, device=device)
        return builders.get_wrapped_compression_model(codec, config).eval()


def _verified(stored: model_store.StoredModel, unused: tuple[str, ...] = ()) -> None:
    try:
        model_store.verify(stored, unused)
    except VerificationError as error:
        raise MachineError(str(error)) from error


class _Library:
    """Answers AudioCraft's and transformers' requests for weights from the model store."""

    def __init__(self, stored: model_store.StoredModel) -> None:
        self._stored = stored
        self.used: dict[str, str] = {}

    @contextmanager
    def opened(self) -> Iterator[None]:
        """While it lasts, AudioCraft's loaders read from here."""
        with (
            replaced(loaders, "_get_state_dict", self._package),
            replaced(conditioners, "T5Tokenizer", _Local(conditioners.T5Tokenizer, self._tokenizer)),
            replaced(conditioners, "T5EncoderModel", _Local(conditioners.T5EncoderModel, self._helper)),
            replaced(encodec, "HFEncodecModel", _Local(encodec.HFEncodecModel, self._helper)),
            style.style_support(self._helper),
        ):
            yield

    def _package(
        self, name: str, filename: str, device: str = "cpu", cache_dir: str | None = None
    ) -> dict[str, Any]:
        part = "lm" if filename == "state_dict.bin" else "codec"
        config = model_store.read_json(self._stored.folder / f"{part}.json")
        if "pretrained" in config:
            return dict(config)
        state = load_file(self._stored.folder / f"{part}.safetensors", device="cpu")
        return {"xp.cfg": config, "best_state": state}

    def _helper(self, name: str) -> Path:
        beside = self._stored.folder / name.rpartition("/")[2]
        if beside.is_dir():
            self.used[name] = "beside the checkpoint"
            return beside
        revision = HELPERS.get(name, (name, None))[1] or model_store.pinned_commit(name) or ""
        stored = model_store.find(name, revision)
        if stored is None:
            raise MachineError(
                f"{self._stored.name} needs {name}, which is not on this machine; run: cuesmith models fetch {name}, "
                f"or put it into the checkpoint's folder as {name.rpartition('/')[2]}/"
            )
        _verified(stored)
        self.used[name] = stored.revision
        return stored.folder

    def _tokenizer(self, name: str) -> Path:
        """Without its files transformers makes a tokenizer that knows no word, and says nothing."""
        folder = self._helper(name)
        if not any((folder / file).is_file() for file in _TOKENIZERS):
            raise MachineError(
                f"{self._stored.name}: its text encoder {name} has no tokenizer; put {_TOKENIZERS[0]} beside it"
            )
        return folder


class _Local:
    """A transformers class whose ``from_pretrained`` looks nowhere but in the model store."""

    def __init__(self, kind: Any, folder_of: Any) -> None:
        self._kind, self._folder_of = kind, folder_of

    def from_pretrained(self, name: str) -> Any:
        return self._kind.from_pretrained(self._folder_of(name), local_files_only=True)


@contextmanager
def _quiet() -> Iterator[None]:
    bar = chatter.is_progress_bar_enabled()
    chatter.disable_progress_bar()
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
        if bar:
            chatter.enable_progress_bar()
