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
    """Marks causal attention, as ``xformers.ops.LowerTriangularMask``."""


def unbind(tensor: torch.Tensor, dim: int) -> tuple[torch.Tensor, ...]:
    """``xformers.ops.unbind``: slices along ``dim``."""
    return torch.unbind(tensor, dim=dim)


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
    """``torchaudio.transforms.Spectrogram``: power spectrogram under a Hann window.

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
        self._n_fft, self._win_length, self._hop_length = n_fft, win_length, hop_length
        self._power, self._center, self._pad, self._normalized = power, center, pad, normalized
        self.register_buffer("window", torch.hann_window(win_length))
        self.window: torch.Tensor

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """The spectrogram of ``samples``."""
        if self._pad:
            samples = torch.nn.functional.pad(samples, (self._pad, self._pad))
        flat = samples.reshape(-1, samples.shape[-1])
        spectrum = torch.stft(
            flat,
            self._n_fft,
            self._hop_length,
            self._win_length,
            self.window,
            center=self._center,
            pad_mode="reflect",
            return_complex=True,
        )
        if self._normalized:
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


class WholeMix(torch.nn.Module):
    """In place of demucs' htdemucs where that is not installed: the melody is heard from the file as it is.

    htdemucs would take drums and bass out first, so give a file of the melody alone. Every take says in its
    notes how its melody was heard.
    """

    sources = ("drums", "bass", "other", "vocals")
    samplerate = 44_100
    audio_channels = 2


def _get_model(name: str) -> WholeMix:
    return WholeMix()


def _apply_model(model: WholeMix, mix: torch.Tensor, device: Any = None) -> torch.Tensor:
    """Stems [batch, 4, channels, samples] of which vocals and others sum to ``mix``."""
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


STAND_INS: dict[str, dict[str, Any]] = {
    "xformers": {},
    "xformers.ops": {
        "LowerTriangularMask": LowerTriangularMask,
        "memory_efficient_attention": memory_efficient_attention,
        "unbind": unbind,
    },
    "torchaudio.transforms": {"Spectrogram": Spectrogram},
    "librosa.filters": {"chroma": chroma},
    "demucs": {},
    "demucs.pretrained": {"get_model": _get_model},
    "demucs.apply": {"apply_model": _apply_model},
    "demucs.audio": {"convert_audio": _convert_audio},
    "flashy.distrib": {"broadcast_tensors": _broadcast_tensors, "rank_zero_only": _rank_zero_only},
}
"""What each stand-in module holds, by module."""


AUDIOCRAFT_VERSION = "1.3.0"

REPLACED: tuple[str, ...] = ("demucs", "librosa", "torchaudio", "xformers")
"""Packages whose few functions that inference calls are in `shim_functions`."""

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

_KEPT = ("demucs", "xformers")
"""AudioCraft imports these inside functions too, so that they stay; the others leave `sys.modules` again."""

_FIRST = ("AutoTokenizer", "EncodecModel", "RobertaTokenizer", "T5EncoderModel", "T5Tokenizer")


class _Absent(ABCMeta):
    """Class of the names of a missing package: they can be inherited from and decorate, never used."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _absent(f"{cls.__module__}.{cls.__qualname__}", name)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls.__dict__.get("_stand_in_"):
            _refuse(f"{cls.__module__}.{cls.__qualname__}")
        return super().__call__(*args, **kwargs)


def _absent(module: str, name: str) -> type:
    return _Absent(name, (), {"__module__": module, "_stand_in_": True})


def _refuse(name: str) -> NoReturn:
    package = name.partition(".")[0]
    raise MachineError(
        f"AudioCraft called {name}, and {package} is not installed; run: pip install {package}"
    )


class _StandIn(ModuleType):
    """A module of a missing package."""

    def __init__(self, spec: importlib.machinery.ModuleSpec) -> None:
        super().__init__(spec.name, f"Stands in for {spec.name}, which is not installed.")
        self.__spec__ = spec
        self.__path__: list[str] = []
        self.__dict__.update(STAND_INS.get(spec.name, {}))
        for name in STAND_INS:
            parent, _, child = name.rpartition(".")
            if parent == spec.name:
                self.__dict__[child] = _StandIn(
                    importlib.machinery.ModuleSpec(name, spec.loader, is_package=True)
                )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _absent(self.__name__, name)


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds every module of the missing packages."""

    def __init__(self, packages: Sequence[str]) -> None:
        self._packages = frozenset(packages)

    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.partition(".")[0] in self._packages:
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        parent, _, child = spec.name.rpartition(".")
        made = sys.modules[parent].__dict__.get(child) if parent in sys.modules else None
        return made if isinstance(made, _StandIn) else _StandIn(spec)

    def exec_module(self, module: ModuleType) -> None:
        pass


def missing_packages() -> tuple[str, ...]:
    """Of the packages that may be stood in for, those that cannot be imported here."""
    return tuple(package for package in sorted((*REPLACED, *UNUSED)) if not _imports(package))


def _imports(package: str) -> bool:
    try:
        # A package that is there and cannot load (torchaudio for another torch) raises OSError and worse.
        importlib.import_module(package)
    except Exception:
        for name in [name for name in sys.modules if name.partition(".")[0] == package]:
            del sys.modules[name]
        return False
    return not isinstance(sys.modules.get(package), _StandIn)


@cache
def import_audiocraft() -> ModuleType:
    """The ``audiocraft`` package with its models. Raises `MachineError` when it or torch is not installed."""
    try:
        found = version("audiocraft")
        importlib.import_module("torch")
        missing = missing_packages()
        # Before the rest is stood in for, so that its search for optional packages sees what is truly there; what is
        # there and cannot load would take it down.
        with _standing_in([package for package in missing if importlib.util.find_spec(package)]):
            transformers = importlib.import_module("transformers")
            for name in _FIRST:
                getattr(transformers, name)
    except (PackageNotFoundError, ImportError) as error:
        raise MachineError(
            f"engine audiocraft is not installed ({error}); run: make setup-audiocraft, or see docs/audiocraft.md"
        ) from error
    with _standing_in(missing):
        try:
            package = importlib.import_module("audiocraft")
            importlib.import_module("audiocraft.models")
        except ImportError as error:
            raise MachineError(
                f"audiocraft {found} cannot be imported: {error}; Cuesmith is tested with {AUDIOCRAFT_VERSION}: "
                "run make setup-audiocraft"
            ) from error
    return package


@contextmanager
def _standing_in(packages: Sequence[str]) -> Iterator[None]:
    finder = _Finder(packages)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name, module in list(sys.modules.items()):
            if isinstance(module, _StandIn) and name.partition(".")[0] not in _KEPT:
                del sys.modules[name]
        for package in packages:
            if package in _KEPT:
                _keep(importlib.machinery.ModuleSpec(package, finder, is_package=True))


def _keep(spec: importlib.machinery.ModuleSpec) -> None:
    module = sys.modules.setdefault(spec.name, _StandIn(spec))
    for child in (child for child in vars(module).values() if isinstance(child, _StandIn)):
        sys.modules[child.__name__] = child
