"""Tiny pipelines with random weights, written from the real components of diffusers and transformers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AceStepPipeline,
    AceStepTransformer1DModel,
    AutoencoderOobleck,
    AutoencoderSAME,
    CosineDPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    StableAudio3DiTModel,
    StableAudio3Pipeline,
    StableAudioDiTModel,
    StableAudioPipeline,
    StableAudioProjectionModel,
)
from diffusers.pipelines.ace_step.modeling_ace_step import (
    AceStepAudioTokenDetokenizer,
    AceStepAudioTokenizer,
    AceStepConditionEncoder,
)
from diffusers.pipelines.stable_audio_3.modeling_stable_audio_3 import StableAudio3DurationEmbedder
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
    T5GemmaConfig,
    T5GemmaEncoderModel,
)

FAMILIES = ("stable-audio-open", "stable-audio-3", "ace-step")
WIDTH = 16
RATE = 8000
"""Of the tiny autoencoders: a second is few samples."""
_HEADS = {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8}
_TRANSFORMER = {"hidden_size": WIDTH, "intermediate_size": 16, **_HEADS}
_ENDS = {"pad_token_id": 0, "eos_token_id": 1}


def write_pipeline(folder: Path, family: str, **changes: Any) -> Path:
    """Write a pipeline of ``family`` into ``folder`` in the format of diffusers."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        pipeline = _BUILDERS[family](**changes)
        for component in pipeline.components.values():
            if isinstance(component, torch.nn.Module):
                component.eval()
                _enliven(component)
        pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def _enliven(module: torch.nn.Module) -> None:
    """Give a value to weights that start at zero: else the text and the masks change nothing."""
    for name, value in module.named_parameters():
        if not value.any() and "bias" not in name:
            torch.nn.init.normal_(value, std=0.2)


def _tokenizer() -> PreTrainedTokenizerFast:
    """Bytes as tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = ["<pad>", "</s>", "<unk>", "<|endoftext|>"]
    vocabulary = {token: index for index, token in enumerate([*special, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        model_max_length=64,
    )


def _vocabulary_size() -> int:
    return len(_tokenizer())


def _oobleck(ratios: tuple[int, ...], latent: int, rate: int) -> AutoencoderOobleck:
    return AutoencoderOobleck(
        encoder_hidden_size=2 * latent,
        downsampling_ratios=list(ratios),
        channel_multiples=[1] * len(ratios),
        decoder_channels=4,
        decoder_input_channels=latent,
        audio_channels=2,
        sampling_rate=rate,
    )


def _stable_audio_open(rate: int = RATE, frames: int = 64) -> StableAudioPipeline:
    return StableAudioPipeline(
        vae=_oobleck((4, 8, 8), 4, rate),
        text_encoder=T5EncoderModel(
            T5Config(
                vocab_size=_vocabulary_size(),
                d_model=WIDTH,
                d_kv=8,
                d_ff=16,
                num_layers=1,
                num_heads=2,
                **_ENDS,
            )
        ),
        projection_model=StableAudioProjectionModel(WIDTH, WIDTH, 0, 512),
        tokenizer=_tokenizer(),
        transformer=StableAudioDiTModel(
            sample_size=frames,
            in_channels=4,
            out_channels=4,
            num_layers=1,
            attention_head_dim=8,
            num_attention_heads=2,
            num_key_value_attention_heads=2,
            cross_attention_dim=WIDTH,
            time_proj_dim=8,
            global_states_input_dim=2 * WIDTH,
            cross_attention_input_dim=WIDTH,
        ),
        scheduler=CosineDPMSolverMultistepScheduler(
            sigma_min=0.3, sigma_max=500, solver_order=2, prediction_type="v_prediction", sigma_data=1.0
        ),
    )


def _stable_audio_3(
    distilled: bool = True, longest_s: float = 8.0, max_length: int | None = None
) -> StableAudio3Pipeline:
    words = {"vocab_size": _vocabulary_size(), "num_hidden_layers": 1, **_ENDS, "bos_token_id": 2}
    encoder = T5GemmaConfig(encoder={**words, **_TRANSFORMER}, is_encoder_decoder=False)
    return StableAudio3Pipeline(
        vae=AutoencoderSAME(
            audio_channels=2,
            patch_size=32,
            encoder_channels=16,
            encoder_c_mults=[1],
            encoder_strides=[8],
            encoder_transformer_depths=[1],
            latent_dim=8,
            dim_heads=8,
            sampling_rate=RATE,
        ),
        text_encoder=T5GemmaEncoderModel(encoder),
        tokenizer=_tokenizer(),
        duration_embedder=StableAudio3DurationEmbedder(output_dim=WIDTH, fourier_dim=8, max_val=longest_s),
        transformer=StableAudio3DiTModel(
            io_channels=8,
            embed_dim=16,
            depth=1,
            num_heads=2,
            cond_token_dim=WIDTH,
            global_cond_dim=WIDTH,
            local_add_cond_dim=9,
            timestep_features_dim=8,
            ff_mult=1.0,
            num_memory_tokens=2,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(stochastic_sampling=distilled),
    )


def _ace_step(turbo: bool = True, tokens: bool = True) -> AceStepPipeline:
    shape: dict[str, Any] = {**_TRANSFORMER, "sliding_window": 16}
    levels = {
        "audio_acoustic_hidden_dim": 4,
        "pool_window_size": 5,
        "num_attention_pooler_hidden_layers": 1,
    }
    encoder = AceStepConditionEncoder(
        **shape,
        text_hidden_dim=WIDTH,
        timbre_hidden_dim=4,
        num_lyric_encoder_hidden_layers=1,
        num_timbre_encoder_hidden_layers=1,
    )
    return AceStepPipeline(
        vae=_oobleck((4, 8, 10), 4, RATE),
        text_encoder=Qwen3Model(
            Qwen3Config(vocab_size=_vocabulary_size(), num_hidden_layers=1, **_TRANSFORMER, **_ENDS)
        ),
        tokenizer=_tokenizer(),
        transformer=AceStepTransformer1DModel(
            **shape,
            num_hidden_layers=2,
            in_channels=12,
            audio_acoustic_hidden_dim=4,
            is_turbo=turbo,
        ),
        condition_encoder=encoder,
        scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1, shift=1.0),
        audio_tokenizer=AceStepAudioTokenizer(**shape, **levels, fsq_dim=16, fsq_input_levels=[4, 4])
        if tokens
        else None,
        audio_token_detokenizer=AceStepAudioTokenDetokenizer(**shape, **levels) if tokens else None,
    )


_BUILDERS: dict[str, Callable[..., Any]] = {
    "stable-audio-open": _stable_audio_open,
    "stable-audio-3": _stable_audio_3,
    "ace-step": _ace_step,
}
