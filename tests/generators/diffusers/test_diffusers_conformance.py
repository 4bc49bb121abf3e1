"""The diffusers engine passes the conformance kit, with a tiny pipeline of each family."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.generators import conformance

MANIFEST = """\
cuesmith: 1
project: conformance
defaults: {{engine: diffusers, music: {{model: ./{family}, steps: 2}}}}
assets:
  - {{id: calm, kind: music, prompt: calm flute, duration: {short}s, variations: 2}}
  - {{id: war, kind: music, prompt: battle theme with heavy drums and brass, duration: {long}s}}
"""


@pytest.mark.parametrize(
    ("family", "short", "long"),
    [
        ("stable-audio-3", 0.5, 0.9),
        pytest.param("stable-audio-open", 0.5, 0.9, marks=pytest.mark.slow),
        pytest.param("ace-step", 10, 11, marks=pytest.mark.slow),
    ],
)
class TestDiffusers(conformance.EngineTests):
    engine = "diffusers"

    @pytest.fixture(autouse=True)
    def written(self, tiny: Callable[..., Path], family: str, short: float, long: float) -> None:
        """The manifest is beside the pipeline."""
        self.manifest = tiny(family).parent / f"{family}.yaml"
        self.manifest.write_text(MANIFEST.format(family=family, short=short, long=long))
