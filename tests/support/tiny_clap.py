"""A CLAP of the real classes with tiny random weights, as the files of its repository."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, RobertaTokenizerFast

_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def write_clap(folder: Path) -> Path:
    """The files that `pipeline.scores.clap` fetches, safetensors included."""
    torch.manual_seed(3)
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(["a heavy door", "calm harp"], vocab_size=300, special_tokens=_SPECIAL)
    folder.mkdir(parents=True)
    trained.save_model(str(folder))
    tokenizer = RobertaTokenizerFast.from_pretrained(str(folder), model_max_length=512)
    text = {
        "vocab_size": 300,
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 66,
        "projection_dim": 16,
    }
    audio = {
        "spec_size": 128,
        "num_mel_bins": 32,
        "window_size": 4,
        "hidden_size": 64,
        "patch_embeds_hidden_size": 8,
        "patch_size": 4,
        "patch_stride": [4, 4],
        "depths": [1, 1, 1, 1],
        "num_attention_heads": [1, 1, 2, 2],
        "projection_dim": 16,
        "enable_fusion": False,
        "num_classes": 4,
    }
    model = ClapModel(ClapConfig(text_config=text, audio_config=audio, projection_dim=16)).eval()
    model.save_pretrained(folder, safe_serialization=True)
    features = ClapFeatureExtractor(
        feature_size=32,
        sampling_rate=16_000,
        hop_length=160,
        max_length_s=2,
        fft_window_size=512,
        frequency_max=8000,
        truncation="rand_trunc",
    )
    # As published: the files of the two halves, without one for the processor.
    features.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
