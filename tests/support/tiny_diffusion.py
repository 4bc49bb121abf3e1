"""MultiBand Diffusion as AudioCraft publishes it, with tiny random weights.

One torch pickle ``mbd_musicgen_32khz.th``: for each band the configuration as OmegaConf's own objects, the U-net's
weights and what its normalisation measured. AudioCraft's loader reads it as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from pipeline.generators.audiocraft.audiocraft_modules import builders

_CONFIG = """
solver: diffusion
sample_rate: {rate}
channels: 1
n_q: 4
device: cpu
compression_model_checkpoint: //pretrained/facebook/encodec_32khz
optim: {{lr: 2e-4, adam: {{betas: [0.9, 0.999]}}, ema: {{device: "${{device}}"}}}}
model: unet
diffusion_unet:
  hidden: 8
  depth: 3
  res_blocks: 1
  norm_groups: 4
  kernel: 8
  stride: 4
  growth: 2
  max_channels: 10000
  dropout: 0.0
  emb_all_layers: true
  bilstm: {bilstm}
  codec_dim: {codec_dim}
  transformer: false
  cross_attention: false
processor: {{name: multi_band_processor, use: true, n_bands: 8, num_samples: 10000, power_std: {power}}}
schedule:
  repartition: power
  variable_step_batch: true
  beta_t0: 1.0e-5
  beta_t1: 2.9e-2
  beta_exp: 7.5
  num_steps: 1000
  variance: beta
  clip: 5.0
  rescale: 1.0
  n_bands: null
  noise_scale: {noise}
filter: {{use: true, n_bands: 2, idx_band: {band}, cutoffs: null}}
"""


def write_diffusion(
    folder: Path, *, seed: int = 0, bands: int = 2, codec_dim: int = 16, rate: int = 32_000
) -> Path:
    """Write the diffusion models to ``folder``; returns the file. ``codec_dim`` is that of the codec's latents."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    package: dict[Any, Any] = {"sample_rate": rate, "n_bands": bands}
    for band in range(bands):
        cfg = OmegaConf.create(
            _CONFIG.format(
                rate=rate,
                band=band,
                codec_dim=codec_dim,
                bilstm="true" if band == 0 else "false",
                power=1.0 - 0.25 * band,
                noise=1.0 - 0.1 * band,
            )
        )
        OmegaConf.set_struct(cfg, True)
        processor = builders.get_processor(cfg.processor, sample_rate=rate)
        processor.project_sample(torch.randn(4, 1, rate) * 0.1)
        package[band] = {
            "cfg": cfg,
            "model_state": builders.get_diffusion_model(cfg).state_dict(),
            "processor_state": processor.state_dict(),
        }
    path = folder / "mbd_musicgen_32khz.th"
    torch.save(package, path)
    return path
