"""The `audiocraft` engine: MusicGen, AudioGen, MAGNeT and EnCodec through the `audiocraft` package.

Importing this package loads tables and neither torch nor numpy; `ENGINE.open` loads what generates.
"""

from pipeline.generators.audiocraft.engine import ENGINE, AudioCraftEngine

__all__ = ["ENGINE", "AudioCraftEngine"]
