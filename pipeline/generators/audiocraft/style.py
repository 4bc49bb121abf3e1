"""The style conditioner of MusicGen-Style, which AudioCraft 1.3.0 does not have, for its published weights.

Rouard, Adi, Copet, Roebel, Défossez: "Audio Conditioning for Music Generation via Discrete Bottleneck Features" (2024).
An excerpt of music goes through MERT, a transformer, and a residual quantizer whose first few codebooks are the
bottleneck; of every ``ds_factor`` frames one stays. Module names are those of the checkpoint. MERT is no part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import nn

from pipeline.generators.audiocraft import mert
from pipeline.generators.audiocraft.audiocraft_modules import (
    audio_utils,
    builders,
    conditioners,
    quantization,
    replaced,
    transformer,
)
from pipeline.generators.audiocraft.models import MERT

_SCALES: dict[str, tuple[int, int, int]] = {
    "xsmall": (256, 8, 4),
    "default": (512, 8, 8),
    "large": (1024, 16, 24),
}
"""Width, heads and layers of the transformer, by the name that a configuration gives."""

_KEY = "self_wav"


class StyleConditioner(conditioners.WaveformConditioner):  # type: ignore[misc]
    """Music as a short prefix: [rows, samples] to [rows, tokens, output_dim]."""

    def __init__(self, listener: Any, output_dim: int, device: str, config: Mapping[str, Any]) -> None:
        """``listener`` is MERT, ``config`` the ``style`` part of a checkpoint's configuration."""
        width, heads, layers = _SCALES[config["transformer_scale"]]
        super().__init__(width, output_dim, device)
        self.__dict__["listener"] = listener
        self.rate = int(config["sample_rate"])
        self.kept = int(config["ds_factor"])
        self.codebooks = int(config["eval_q"])
        self.embed = nn.Linear(listener.config.hidden_size, width)
        self.transformer = transformer.StreamingTransformer(
            width,
            heads,
            layers,
            dim_feedforward=4 * width,
            memory_efficient=True,
            activation="gelu",
            norm_first=True,
            causal=False,
            bias_ff=False,
            bias_attn=False,
        )
        self.rvq = quantization.ResidualVectorQuantizer(
            width, n_q=int(config["n_q_out"]), bins=int(config["bins"])
        )
        self.batch_norm = nn.BatchNorm1d(width, affine=False) if config["batch_norm"] else None

    def _get_wav_embedding(self, condition: Any) -> torch.Tensor:
        # AudioCraft keeps this for the whole process, and loading a MAGNeT changes it.
        transformer.set_efficient_attention_backend("torch")
        hidden = self.transformer(self._heard(condition.wav))
        if self.batch_norm is not None:
            hidden = self.batch_norm(hidden.transpose(1, 2)).transpose(1, 2)
        self.rvq.set_num_codebooks(self.codebooks)
        quantized: torch.Tensor = self.rvq(hidden.transpose(1, 2), 1).x.transpose(1, 2)
        return quantized[:, :: self.kept]

    def _heard(self, samples: torch.Tensor) -> torch.Tensor:
        """``samples`` [rows, 1, samples] as MERT hears them; a single sample stands for no music at all."""
        if samples.shape[-1] == 1:
            return torch.zeros((samples.shape[0], 1, self.dim), device=samples.device)
        mono = audio_utils.convert_audio(samples, self.rate, mert.RATE_HZ, 1)
        heard: torch.Tensor = self.embed(mert.hear(self.listener, mono[:, 0]))
        return heard

    def forward(self, condition: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Embedding [rows, tokens, output_dim] and mask [rows, tokens]; both are 0 in a row without music."""
        with torch.no_grad(), torch.autocast(condition.wav.device.type, enabled=False):
            embedded = self.output_proj(self._get_wav_embedding(condition).to(self.output_proj.weight))
        mask = (condition.length > 0)[:, None].expand(-1, embedded.shape[1]).int()
        return embedded * mask[..., None], mask


def of(generator: Any) -> StyleConditioner | None:
    """The style conditioner of an AudioCraft model, where it has one."""
    found = dict(generator.lm.condition_provider.conditioners.items()).get(_KEY)
    return found if isinstance(found, StyleConditioner) else None


@contextmanager
def added(folder_of: Callable[[str], Path]) -> Iterator[None]:
    """While it lasts, AudioCraft's builder makes style conditioners; ``folder_of`` finds MERT."""
    own = builders.get_conditioner_provider

    def provider(output_dim: int, cfg: Any) -> Any:
        heard = (cfg.conditioners or {}).get(_KEY)
        if heard is None or heard.model != "style":
            return own(output_dim, cfg)
        rest = OmegaConf.create(OmegaConf.to_container(cfg, resolve=False))
        del rest.conditioners[_KEY]
        made = own(output_dim, rest)
        listener = mert.load(folder_of(MERT), str(cfg.device))
        config = OmegaConf.to_container(heard.style, resolve=True)
        made.conditioners[_KEY] = StyleConditioner(listener, output_dim, str(cfg.device), config)
        return made

    with replaced(builders, "get_conditioner_provider", provider):
        yield
