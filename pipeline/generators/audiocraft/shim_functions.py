"""The few functions that AudioCraft's inference calls of packages that it does not need otherwise.

Each takes the arguments that AudioCraft 1.3.0 passes and gives what the package gives; tests compare them with
values of the packages themselves.
"""

from __future__ import annotations

from typing import Any

import julius
import numpy as np
import numpy.typing as npt
import torch


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


NAMES: dict[str, dict[str, Any]] = {
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
