"""The `audiocraft` engine: MusicGen, AudioGen, MAGNeT and EnCodec through the `audiocraft` package.

The module `engine` loads tables and neither torch nor numpy; `ENGINE.open` loads what generates.
"""
