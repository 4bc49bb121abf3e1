"""Audio values, files and rates: everything that knows samples but no manifest."""

from pipeline.audio.clip import Clip, Samples

__all__ = ["Clip", "Samples"]
