"""The score ``clap``: how well a take fits its prompt, by `laion/clap-htsat-unfused` through transformers.

Light: no torch before `ClapScore.open`.
"""

from __future__ import annotations

import importlib

from pipeline.generators.published_model import PublishedModel
from pipeline.scores.protocol import Scorer


class ClapScore(PublishedModel):
    """Cosine similarity of a take and its prompt, from -1 to 1. Its weights are no pickle."""

    kind, name = "score", "clap"
    model = "laion/clap-htsat-unfused"
    revision = "8fa0f1c6d0433df6e97c127f64b2a1d6c0dcda8a"
    version = f"1 {revision[:12]}"
    license = "Apache-2.0"
    weights = ("model.safetensors", "config.json")
    others = (
        "merges.txt",
        "preprocessor_config.json",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.json",
    )
    packages = ("torch", "transformers")
    extra = "clap"

    def open(self) -> Scorer:
        """Load the model on the CPU."""
        folder = self.verified_folder()
        scorer: Scorer = importlib.import_module("pipeline.scores.clap_model").ClapScorer(folder)
        return scorer


SCORE = ClapScore()
