"""A small AudioSeal pair of the real classes that works without training, as the files of its repository.

The generator ignores the sound: each bit of the message is the sign of one partial of 500 Hz, and one more partial, the
pilot, is always there. The detector is a matched filter: its strided layers only move the 32 samples of a frame into 32
channels, its LSTM compares them with the partials and sums up over 0.1 s. An offset keeps all values above 0, where
ELU changes nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from audioseal import AudioSeal
from audioseal.builder import (
    AudioSealDetectorConfig,
    AudioSealWMConfig,
    create_detector,
    create_generator,
)
from omegaconf import OmegaConf

from pipeline.watermarks.audioseal import DETECTOR, GENERATOR

HOP, BITS, LEVEL = 32, 16, 0.004
"""Samples of a frame at 16 kHz (one period of 500 Hz), bits of the message, amplitude of a partial."""
_RATIOS, _OFFSET = (4, 4, 2), 8.0
_SEANET = {
    "activation": "ELU",
    "activation_params": {"alpha": 1.0},
    "causal": False,
    "channels": 1,
    "compress": 2,
    "dilation_base": 2,
    "dimension": 32,
    "disable_norm_outer_blocks": 0,
    "kernel_size": 7,
    "last_kernel_size": 7,
    "lstm": 1,
    "n_filters": 8,
    "n_residual_layers": 1,
    "norm": "weight_norm",
    "norm_params": {},
    "pad_mode": "constant",
    "ratios": list(_RATIOS),
    "residual_kernel_size": 3,
    "true_skip": True,
}
_DECODER = {"final_activation": None, "final_activation_params": None, "trim_right_ratio": 1.0}
CARDS: dict[str, dict[str, Any]] = {
    "audioseal_wm_16bits": {"nbits": BITS, "seanet": _SEANET, "decoder": _DECODER},
    "audioseal_detector_16bits": {"nbits": BITS, "seanet": _SEANET, "detector": {"output_dim": 32}},
}
"""Sizes by the name of AudioSeal's own card."""


def use_small_cards(patch: pytest.MonkeyPatch) -> None:
    """Let AudioSeal's cards have the sizes of this pair, for the conversion of its checkpoints."""
    loader = "pipeline.watermarks.audioseal_model.load_local_model_config"
    patch.setattr(loader, lambda name: OmegaConf.create(CARDS[name]))


def write_audioseal(folder: Path) -> Path:
    """The checkpoints that `pipeline.watermarks.audioseal` fetches, in the form of the published ones."""
    folder.mkdir(parents=True)
    kinds = (
        (GENERATOR, "audioseal_wm_16bits", AudioSealWMConfig, create_generator, _fill_generator),
        (DETECTOR, "audioseal_detector_16bits", AudioSealDetectorConfig, create_detector, _fill_detector),
    )
    for file, card, config, create, fill in kinds:
        module: Any = create(AudioSeal.parse_config(CARDS[card], config_type=config))
        with torch.no_grad():
            for weights in module.parameters():
                weights.zero_()
            fill(module)
        package = {
            "xp.cfg": OmegaConf.create(CARDS[card]),
            "model": OrderedDict(_published(module.state_dict())),
        }
        torch.save(package, folder / file)
    return folder


def partials() -> torch.Tensor:
    """One period of each partial, shape [BITS + 1, HOP]; the last is the pilot."""
    phase = 2 * np.pi * np.arange(HOP) / HOP
    waves = [wave(phase * number) for number in range(2, 11) for wave in (np.sin, np.cos)]
    return torch.tensor(np.array(waves[: BITS + 1]), dtype=torch.float32)


def _published(state: dict[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
    """The weights under the names of AudioSeal's published checkpoints, with weight normalisation."""
    for name, value in state.items():
        old = name.replace(".inner_conv", "")
        if old != name and name.endswith("weight"):
            size = value.flatten(1).norm(dim=1)
            direction = torch.where(size[:, None, None] > 0, value, torch.ones_like(value))
            yield f"{old}_v", direction
            yield f"{old}_g", size[:, None, None]
        else:
            yield old, value


def _conv(layer: Any) -> Any:
    inner = layer.conv if hasattr(layer, "conv") else layer.convtr
    return (inner.conv if hasattr(inner, "conv") else inner.convtr).inner_conv


def _layers(model: Any, kind: str) -> list[Any]:
    return [_conv(layer) for layer in model if type(layer).__name__ == kind]


def _fill_generator(module: Any) -> None:
    _layers(module.encoder.model, "StreamingConv1d")[-1].bias[BITS] = 1.0
    for bit in range(BITS):
        module.msg_processor.msg_processor.weight[2 * bit, bit] = -1.0
        module.msg_processor.msg_processor.weight[2 * bit + 1, bit] = 1.0
    first, last = _layers(module.decoder.model, "StreamingConv1d")
    first.weight[:HOP, : BITS + 1, 3] = LEVEL * partials().T
    first.bias[:HOP] = _OFFSET
    left = HOP
    for ratio, unfold in zip(_RATIOS, _layers(module.decoder.model, "StreamingConvTranspose1d"), strict=True):
        left //= ratio
        for place in range(ratio):
            for channel in range(left):
                unfold.weight[left * place + channel, channel, ratio - ratio // 2 + place] = 1.0
    last.weight[0, 0, 3] = 1.0
    last.bias[0] = -_OFFSET


def _fill_detector(module: Any) -> None:
    encoder, last = module.detector
    first, *folds, final = _layers(encoder.model, "StreamingConv1d")
    first.weight[0, 0, 3] = 1.0
    first.bias[0] = _OFFSET
    filled = 1
    for ratio, fold in zip(reversed(_RATIOS), folds, strict=True):
        for place in range(ratio):
            for channel in range(filled):
                fold.weight[filled * place + channel, channel, ratio - ratio // 2 + place] = 1.0
        filled *= ratio
    folds[-1].bias[HOP:] = _OFFSET
    lstm = next(layer.lstm for layer in encoder.model if hasattr(layer, "lstm"))
    size = lstm.hidden_size
    gain, keep, take = 5.0, 0.98, 0.1
    lstm.bias_ih_l0[:size] = np.log(take / (1 - take))
    lstm.bias_ih_l0[size : 2 * size] = np.log(keep / (1 - keep))
    lstm.bias_ih_l0[3 * size :] = 10.0
    lstm.weight_ih_l0[2 * size + HOP : 2 * size + HOP + BITS + 1, :HOP] = gain * 2 / HOP * partials()
    scale = gain * take / (1 - keep)
    for partial in range(BITS + 1):
        final.weight[partial, HOP + partial, 3] = 1.0
        final.bias[partial] = -_OFFSET
        encoder.reverse_convolution.weight[partial, partial] = 1.0
    last.weight[1, BITS, 0] = 40.0
    last.bias[1] = -40.0 * scale * LEVEL * 0.35
    for bit in range(BITS):
        last.weight[2 + bit, bit, 0] = 40.0
