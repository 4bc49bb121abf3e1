"""Scripts that exports copy into their folders; they run in the tools of the target, never here."""

from importlib.resources import files


def script(name: str) -> bytes:
    """The script ``name``."""
    return files("pipeline.export.scripts").joinpath(name).read_bytes()
