"""Importing AudioCraft 1.3.0 unmodified, without the packages that it imports and inference hardly uses.

AudioCraft imports training tools and large packages at module level. Each that cannot be imported is replaced while
AudioCraft is imported: by the few functions that inference calls (`xformers.ops`, torchaudio's spectrogram, librosa's
chroma filters, a pass-through for demucs), or by names that raise, when they are used, an error with the missing
package. The functions take the arguments that AudioCraft 1.3.0 passes and return what the package returns; tests
compare them with values of the packages themselves. A package that can be imported is always used.
docs/audiocraft.md lists them.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from abc import ABCMeta
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any, NoReturn

import julius
import numpy as np
import numpy.typing as npt
import torch

from pipeline.errors import MachineError


class LowerTriangularMask:
    """``xformers.ops.LowerTriangularMask``: marks causal attention."""


def memory_efficient_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_bias: torch.Tensor | LowerTriangularMask | None = None,
    p: float = 0.0,
) -> torch.Tensor:
    """``xformers.ops.memory_efficient_attention`` through torch's own attention.

    ``query``, ``key`` and ``value`` are [batch, time, heads, features]; ``attn_bias`` is added to the scores,
    [batch, heads, queries, keys]. Returns [batch, time, heads, features].
    """
    causal = isinstance(attn_bias, LowerTriangularMask)
    bias = attn_bias if isinstance(attn_bias, torch.Tensor) else None
    out = torch.nn.functional.scaled_dot_product_attention(
        query.transpose(1, 2),
        key.transpose(1, 2),
        value.transpose(1, 2),
        attn_mask=bias,
        dropout_p=p,
        is_causal=causal,
    )
    return out.transpose(1, 2)


class Spectrogram(torch.nn.Module):
    """``torchaudio.transforms.Spectrogram``: power spectrogram under a Hann window, as AudioCraft uses it: centred,
    without padding, normalised.

    Takes [..., samples], gives [..., frequencies, frames]. Checkpoints hold its buffer ``window``.
    """

    def __init__(
        self,
        n_fft: int,
        win_length: int,
        hop_length: int,
        power: float,
        center: bool,
        pad: int,
        normalized: bool,
    ) -> None:
        super().__init__()
        self._n_fft, self._win_length, self._hop_length, self._power = n_fft, win_length, hop_length, power
        self.register_buffer("window", torch.hann_window(win_length))
        self.window: torch.Tensor

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """The spectrogram of ``samples``."""
        flat = samples.reshape(-1, samples.shape[-1])
        spectrum = torch.stft(
            flat,
            self._n_fft,
            self._hop_length,
            self._win_length,
            self.window,
            center=True,
            pad_mode="reflect",
            return_complex=True,
        )
        spectrum = spectrum / self.window.pow(2).sum().sqrt()
        return spectrum.abs().pow(self._power).reshape(*samples.shape[:-1], *spectrum.shape[-2:])


def chroma(*, sr: float, n_fft: int, tuning: float = 0.0, n_chroma: int = 12) -> npt.NDArray[np.float32]:
    """``librosa.filters.chroma``: weights [n_chroma, 1 + n_fft // 2] from frequency bins to pitch classes.

    Ellis' filter bank: a Gaussian bump an octave, as wide as the bins are apart, under a Gaussian over octaves
    centred 5 octaves above 16.35 Hz (C0) and 2 wide; columns have unit norm; row 0 is C.
    """
    frequencies = np.linspace(0, sr, n_fft, endpoint=False)[1:]
    a440 = 440.0 * 2.0 ** (tuning / n_chroma)
    bins = n_chroma * np.log2(frequencies / (a440 / 16))
    bins = np.concatenate(([bins[0] - 1.5 * n_chroma], bins))
    width = np.concatenate((np.maximum(np.diff(bins), 1.0), [1.0]))
    half = round(n_chroma / 2)
    distance = np.subtract.outer(bins, np.arange(n_chroma)).T
    distance = np.remainder(distance + half + 10 * n_chroma, n_chroma) - half
    weights = np.exp(-0.5 * (2 * distance / width) ** 2)
    weights = weights / np.maximum(np.linalg.norm(weights, axis=0, keepdims=True), np.finfo(float).tiny)
    weights = weights * np.exp(-0.5 * ((bins / n_chroma - 5.0) / 2.0) ** 2)
    weights = np.roll(weights, -3 * (n_chroma // 12), axis=0)
    return np.ascontiguousarray(weights[:, : 1 + n_fft // 2], dtype=np.float32)


class PassThroughStems(torch.nn.Module):
    """Replaces demucs' htdemucs if that is not installed: the model gets the melody file as it is.

    htdemucs would remove drums and bass first, so use a file of the melody alone. A take's record says which was used
    (``melody_stems``).
    """

    sources = ("drums", "bass", "other", "vocals")
    samplerate = 44_100
    audio_channels = 2


def _get_model(name: str) -> PassThroughStems:
    return PassThroughStems()


def _apply_model(model: PassThroughStems, mix: torch.Tensor, device: Any = None) -> torch.Tensor:
    """Stems [batch, 4, channels, samples]: ``mix`` as other, the rest silent."""
    silence = torch.zeros_like(mix)
    return torch.stack([silence, silence, mix, silence], dim=1)


def _convert_audio(wav: torch.Tensor, from_rate: int, to_rate: int, channels: int) -> torch.Tensor:
    """``demucs.audio.convert_audio``: channels first, then rate."""
    if wav.shape[-2] != channels:
        wav = wav.mean(dim=-2, keepdim=True)
        wav = wav.expand(*wav.shape[:-2], channels, wav.shape[-1])
    resampled: torch.Tensor = julius.resample_frac(wav, int(from_rate), int(to_rate))
    return resampled


def _broadcast_tensors(tensors: Any, src: int = 0) -> None:
    """``flashy.distrib.broadcast_tensors`` of a single process."""


def _rank_zero_only(function: Any) -> Any:
    """``flashy.distrib.rank_zero_only`` of a single process."""
    return function


SUBSTITUTES: dict[str, dict[str, Any]] = {
    "xformers": {},
    "xformers.ops": {
        "LowerTriangularMask": LowerTriangularMask,
        "memory_efficient_attention": memory_efficient_attention,
        "unbind": torch.unbind,
    },
    "torchaudio.transforms": {"Spectrogram": Spectrogram},
    "librosa.filters": {"chroma": chroma},
    "demucs": {},
    "demucs.pretrained": {"get_model": _get_model},
    "demucs.apply": {"apply_model": _apply_model},
    "demucs.audio": {"convert_audio": _convert_audio},
    "flashy.distrib": {"broadcast_tensors": _broadcast_tensors, "rank_zero_only": _rank_zero_only},
}
"""The names of each substitute module."""


AUDIOCRAFT_VERSION = "1.3.0"

REPLACED: tuple[str, ...] = ("demucs", "librosa", "torchaudio", "xformers")
"""Packages of which inference calls few functions, all of them in this module."""

UNUSED: tuple[str, ...] = (
    "av",
    "dora",
    "flashy",
    "hydra",
    "num2words",
    "spacy",
    "torchmetrics",
)
"""Packages that inference imports and never calls."""

_STAY_IMPORTED = ("demucs", "xformers")
"""AudioCraft imports these inside functions too, so that they stay in `sys.modules`; the others are removed."""

_TRANSFORMERS_NAMES = ("AutoTokenizer", "EncodecModel", "RobertaTokenizer", "T5EncoderModel", "T5Tokenizer")


class _MissingName(ABCMeta):
    """Metaclass of a missing package's names: they can be base classes and decorators, but not be called."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _missing_name(f"{cls.__module__}.{cls.__qualname__}", name)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls.__dict__.get("_is_substitute_"):
            _raise_missing(f"{cls.__module__}.{cls.__qualname__}")
        return super().__call__(*args, **kwargs)


def _missing_name(module: str, name: str) -> type:
    return _MissingName(name, (), {"__module__": module, "_is_substitute_": True})


def _raise_missing(name: str) -> NoReturn:
    package = name.partition(".")[0]
    raise MachineError(
        f"AudioCraft called {name}, and {package} is not installed; run: pip install {package}"
    )


class _Substitute(ModuleType):
    """Replaces a module of a missing package."""

    def __init__(self, name: str) -> None:
        super().__init__(name, f"Replaces {name}, which is not installed.")
        self.__dict__.update(SUBSTITUTES.get(name, {}))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _missing_name(self.__name__, name)


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a substitute for every module of the missing packages."""

    def __init__(self, packages: Sequence[str]) -> None:
        self._packages = frozenset(packages)

    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.partition(".")[0] in self._packages:
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _Substitute(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass


def missing_packages() -> tuple[str, ...]:
    """The packages with a substitute that cannot be imported on this machine."""
    return tuple(package for package in sorted((*REPLACED, *UNUSED)) if not _imports(package))


def _imports(package: str) -> bool:
    try:
        # An installed package that cannot load (torchaudio for another torch) may raise any error.
        importlib.import_module(package)
    except Exception:
        for name in [name for name in sys.modules if name.partition(".")[0] == package]:
            del sys.modules[name]
        return False
    return not isinstance(sys.modules.get(package), _Substitute)


@cache
def import_audiocraft() -> ModuleType:
    """The ``audiocraft`` package with its models. Raises `MachineError` when it or torch is not installed."""
    try:
        installed = version("audiocraft")
        importlib.import_module("torch")
        missing = missing_packages()
        # transformers looks for optional packages when it is imported, so that it comes before the substitutes. Only
        # installed packages that cannot load are replaced already, since importing them would fail.
        with _substituted([package for package in missing if importlib.util.find_spec(package)]):
            transformers = importlib.import_module("transformers")
            for name in _TRANSFORMERS_NAMES:
                getattr(transformers, name)
    except (PackageNotFoundError, ImportError) as error:
        raise MachineError(
            f"engine audiocraft is not installed ({error}); run: make setup-audiocraft, or see docs/audiocraft.md"
        ) from error
    with _substituted(missing):
        try:
            package = importlib.import_module("audiocraft")
            importlib.import_module("audiocraft.models")
        except ImportError as error:
            raise MachineError(
                f"audiocraft {installed} cannot be imported: {error}; Cuesmith is tested with {AUDIOCRAFT_VERSION}: "
                "run make setup-audiocraft"
            ) from error
    return package


@contextmanager
def _substituted(packages: Sequence[str]) -> Iterator[None]:
    finder = _Finder(packages)
    sys.meta_path.insert(0, finder)
    try:
        for name in SUBSTITUTES:
            if name.partition(".")[0] in packages:
                importlib.import_module(name)
        yield
    finally:
        sys.meta_path.remove(finder)
        for name, module in list(sys.modules.items()):
            if isinstance(module, _Substitute) and name.partition(".")[0] not in _STAY_IMPORTED:
                del sys.modules[name]
