"""CLAP itself: the embeddings of a sound and of a text, and the cosine between them (Wu et al., arXiv:2211.06687)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import ClapModel, ClapProcessor

from pipeline.audio import Clip
from pipeline.audio.rate import resample


class ClapScorer:
    """One model on the CPU, where the same take always has the same value."""

    def __init__(self, folder: Path) -> None:
        """Load from ``folder`` only: no network, no pickle, no remote code."""
        options = {"local_files_only": True}
        self._model: Any = ClapModel.from_pretrained(folder, use_safetensors=True, **options).eval()
        self._processor: Any = ClapProcessor.from_pretrained(folder, **options)
        self._rate: int = self._processor.feature_extractor.sampling_rate
        # RoBERTa counts positions from 2.
        self._longest_text: int = self._model.config.text_config.max_position_embeddings - 2
        self._window = int(self._processor.feature_extractor.nb_max_samples)

    def score(self, clip: Clip, prompt: str) -> float:
        """The mean cosine over consecutive windows of the mono mix (10 s with the published weights)."""
        mono = resample(clip, self._rate).samples.mean(axis=0)
        windows = [mono[first : first + self._window] for first in range(0, max(1, mono.size), self._window)]
        # A short rest would count as much as a whole window.
        parts = [part for part in windows if part.size >= self._window // 4] or windows[:1]
        with torch.inference_mode():
            values = [self._cosine(part, prompt) for part in parts]
        return round(sum(values) / len(values), 4)

    def _cosine(self, audio: Any, prompt: str) -> float:
        words = self._processor.tokenizer(
            [prompt], return_tensors="pt", truncation=True, max_length=self._longest_text
        )
        # A window is never longer than the model's, so that nothing is cut at random.
        sound = self._processor.feature_extractor([audio], sampling_rate=self._rate, return_tensors="pt")
        outputs = self._model(**words, **sound)
        return float(torch.nn.functional.cosine_similarity(outputs.audio_embeds, outputs.text_embeds)[0])
