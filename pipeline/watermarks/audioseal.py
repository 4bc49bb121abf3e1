"""The watermark ``audioseal`` (San Roman et al., arXiv:2401.17264): its table and its weights. No torch.

The weights (MIT) are converted once: safetensors, and no pickle after that.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipeline.generators.model_store import StoredModel
from pipeline.generators.published_model import PublishedModel
from pipeline.watermarks.protocol import Watermarker

REPOSITORY = "facebook/audioseal"
REVISION = "199c1793b46a37b682fb3367b8b2dcb443de9d72"
GENERATOR, DETECTOR = "generator_base.pth", "detector_base.pth"


class AudioSealWatermark(PublishedModel):
    """AudioSeal's 16-bit model at 16 kHz. Also the store of its weights."""

    kind, name = "watermark", "audioseal"
    version = f"1 {REVISION[:12]}"
    model = REPOSITORY
    revision = REVISION
    license = "MIT"
    weights = (GENERATOR, DETECTOR)
    packages = ("audioseal", "omegaconf", "safetensors", "torch")
    extra = "watermark"
    seconds_a_second = 0.13

    def open(self) -> Watermarker:
        """Import torch and AudioSeal; each network is loaded on the CPU when it is needed."""
        folder = self.verified_folder()
        module = importlib.import_module("pipeline.watermarks.audioseal_model")
        opened: Watermarker = module.AudioSealWatermarker(folder)
        return opened

    def install(
        self, folder: Path, files: Sequence[str], progress: Callable[[str], None]
    ) -> StoredModel[dict[str, Any]]:
        """Convert the published checkpoints."""
        progress(f"{REPOSITORY}: converting")
        stored: StoredModel[dict[str, Any]] = importlib.import_module(
            "pipeline.watermarks.audioseal_model"
        ).convert(folder)
        return stored


WATERMARK = AudioSealWatermark()
STORE = WATERMARK.store
