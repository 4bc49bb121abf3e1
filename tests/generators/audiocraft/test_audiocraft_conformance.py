"""The AudioCraft engine passes the conformance kit, with a tiny checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.generators import conformance

MANIFEST = """\
cuesmith: 1
project: conformance
defaults: {engine: audiocraft, music: {model: ./music}}
assets:
  - {id: calm, kind: music, prompt: calm flute, duration: 0.5s, variations: 2}
  - {id: war, kind: music, prompt: battle theme with heavy drums and brass, duration: 0.9s}
"""


class TestAudioCraft(conformance.EngineTests):
    engine = "audiocraft"

    @pytest.fixture(autouse=True)
    def written(self, checkpoint: Callable[[str], Path]) -> None:
        """The manifest is beside the checkpoint, so that every test has the same."""
        self.manifest = checkpoint("music").parent / "conformance.yaml"
        self.manifest.write_text(MANIFEST)
