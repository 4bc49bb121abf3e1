"""Progress on the terminal follows the journal to the end of every stage."""

from __future__ import annotations

import pytest

from flows import progress
from flows.progress import BuildProgress


def test_a_quarantined_master_counts_as_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_LINE_EVERY_S", -1.0)
    with BuildProgress() as bars:
        bars({"event": "generate-began", "takes": 2, "audio_seconds": 2.0})
        bars({"event": "master-began", "masters": 2, "audio_seconds": 2.0})
        bars({"event": "take", "audio_seconds": 1.0})
        bars({"event": "take", "audio_seconds": 1.0})
        bars({"event": "failed", "stage": "quality"})
        bars({"event": "master", "audio_seconds": 1.0})
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.strip() == "generate 2 of 2, 2 s of audio; master 2 of 2, 1 s of audio, 1 failed"
