"""The style conditioner of MusicGen-Style, which AudioCraft 1.3.0 does not have, for its published weights.

Rouard, Adi, Copet, Roebel, Défossez: "Audio Conditioning for Music Generation via Discrete Bottleneck Features" (2024).
An excerpt of music goes through MERT, a transformer, and a residual quantizer whose first few codebooks are the
bottleneck; of every ``ds_factor`` frames one stays. Module names are those of the checkpoint.

MERT-v1-95M (Li et al.: "MERT: Acoustic Music Understanding Model with Large-Scale Self-supervised Training", 2023) is
loaded into transformers' `HubertModel`, with no code from its repository. It has HuBERT's architecture, name by name,
as long as the three parts that its own code adds are switched off, which its configuration does: a constant-Q transform
beside the convolutions, DeepNorm, and relaxed attention.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file
from torch import nn
from transformers import HubertConfig, HubertModel

from pipeline.errors import MachineError
from pipeline.generators.audiocraft.audiocraft_modules import (
    audio_utils,
    builders,
    conditioners,
    quantization,
    replaced,
    transformer,
)
from pipeline.generators.audiocraft.models import MERT
from pipeline.generators.model_store import read_json
from pipeline.generators.pickles import WEIGHTS

MERT_RATE_HZ = 24_000
MERT_CONFIG = "config.json"

_RENAMED = {"weight_g": "parametrizations.weight.original0", "weight_v": "parametrizations.weight.original1"}
"""Today's names in torch of the parts of a weight norm."""
_TRAINING_ONLY = "masked_spec_embed"
"""Replaces masked frames while MERT is trained."""


def load_mert(folder: Path, device: str) -> Any:
    """The `HubertModel` of the MERT in ``folder`` on ``device``.

    Raises `MachineError` for another kind of MERT, and for weights that do not fit.
    """
    published = read_json(folder / MERT_CONFIG)
    if (
        published.get("feature_extractor_cqt")
        or published.get("deepnorm")
        or published.get("attention_relax", -1) > 0
    ):
        raise MachineError(
            f"{folder}: not MERT-v1-95M: it has layers that HuBERT does not have; replace it with m-a-p/MERT-v1-95M"
        )
    known = HubertConfig().to_dict()
    config = HubertConfig(
        **{key: value for key, value in published.items() if key in known and key != "model_type"}
    )
    config._attn_implementation = "eager"
    model = HubertModel(config)
    state = {_renamed(key): value.float() for key, value in load_file(folder / WEIGHTS, device="cpu").items()}
    try:
        missing, _ = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise _unfit(folder, str(error).splitlines()[-1].strip()) from error
    absent = sorted(set(missing) - {_TRAINING_ONLY})
    if absent:
        raise _unfit(folder, f"no {absent[0]}")
    return model.eval().to(device)


def _renamed(key: str) -> str:
    layer, _, name = key.rpartition(".")
    return f"{layer}.{_RENAMED[name]}" if name in _RENAMED else key


def _unfit(folder: Path, why: str) -> MachineError:
    return MachineError(f"{folder}: its weights are not MERT's ({why}); fetch m-a-p/MERT-v1-95M again")


_SCALES: dict[str, tuple[int, int, int]] = {
    "xsmall": (256, 8, 4),
    "default": (512, 8, 8),
    "large": (1024, 16, 24),
}
"""Width, heads and layers of the transformer, by the name that a configuration gives."""

_KEY = "self_wav"


class StyleConditioner(conditioners.WaveformConditioner):  # type: ignore[misc]
    """Music as a short prefix: [rows, samples] to [rows, tokens, output_dim]."""

    def __init__(self, mert: Any, output_dim: int, device: str, config: Mapping[str, Any]) -> None:
        """``mert`` is the loaded MERT, ``config`` the ``style`` part of a checkpoint's configuration."""
        width, heads, layers = _SCALES[config["transformer_scale"]]
        super().__init__(width, output_dim, device)
        self.__dict__["mert"] = mert
        self.rate = int(config["sample_rate"])
        self.frame_step = int(config["ds_factor"])
        self.codebooks = int(config["eval_q"])
        self.embed = nn.Linear(mert.config.hidden_size, width)
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
        # This setting is global in AudioCraft, and loading a MAGNeT changes it.
        transformer.set_efficient_attention_backend("torch")
        hidden = self.transformer(self._features(condition.wav))
        if self.batch_norm is not None:
            hidden = self.batch_norm(hidden.transpose(1, 2)).transpose(1, 2)
        self.rvq.set_num_codebooks(self.codebooks)
        quantized: torch.Tensor = self.rvq(hidden.transpose(1, 2), 1).x.transpose(1, 2)
        return quantized[:, :: self.frame_step]

    def _features(self, samples: torch.Tensor) -> torch.Tensor:
        """MERT's features of ``samples`` [rows, 1, samples]; a single sample means no music."""
        if samples.shape[-1] == 1:
            return torch.zeros((samples.shape[0], 1, self.dim), device=samples.device)
        mono = audio_utils.convert_audio(samples, self.rate, MERT_RATE_HZ, 1)
        features: torch.Tensor = self.embed(self.mert(mono[:, 0]).last_hidden_state)
        return features

    def forward(self, condition: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Embedding [rows, tokens, output_dim] and mask [rows, tokens]; both are 0 in a row without music."""
        with torch.no_grad(), torch.autocast(condition.wav.device.type, enabled=False):
            embedded = self.output_proj(self._get_wav_embedding(condition).to(self.output_proj.weight))
        mask = (condition.length > 0)[:, None].expand(-1, embedded.shape[1]).int()
        return embedded * mask[..., None], mask


def style_conditioner(generator: Any) -> StyleConditioner | None:
    """The style conditioner of an AudioCraft model; None if it has none."""
    conditioner = dict(generator.lm.condition_provider.conditioners.items()).get(_KEY)
    return conditioner if isinstance(conditioner, StyleConditioner) else None


@contextmanager
def style_support(folder_of: Callable[[str], Path]) -> Iterator[None]:
    """A context in which AudioCraft's builder supports style conditioners; ``folder_of`` finds MERT."""
    original = builders.get_conditioner_provider

    def with_style(output_dim: int, cfg: Any) -> Any:
        entry = (cfg.conditioners or {}).get(_KEY)
        if entry is None or entry.model != "style":
            return original(output_dim, cfg)
        rest = OmegaConf.create(OmegaConf.to_container(cfg, resolve=False))
        del rest.conditioners[_KEY]
        provider = original(output_dim, rest)
        mert = load_mert(folder_of(MERT), str(cfg.device))
        config = OmegaConf.to_container(entry.style, resolve=True)
        provider.conditioners[_KEY] = StyleConditioner(mert, output_dim, str(cfg.device), config)
        return provider

    with replaced(builders, "get_conditioner_provider", with_style):
        yield
