"""The `sketch` engine: procedural placeholder sound, on the CPU, deterministic, in seconds.

Importing this package loads tables and no numpy; the sound is made in `synthesizer`, which `ENGINE.open` loads.
"""

from pipeline.generators.sketch.engine import ENGINE, SketchEngine

__all__ = ["ENGINE", "SketchEngine"]
