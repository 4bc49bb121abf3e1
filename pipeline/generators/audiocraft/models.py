"""Every published AudioCraft checkpoint: its output, inputs, window and licence; and the passes of a take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pipeline.generators.protocol import UNFETCHED, ModelInfo
from pipeline.licenses import LicenseTerms
from pipeline.manifest.spec import Kind

Family = Literal["musicgen", "audiogen", "magnet"]
Input = Literal["melody", "continue_from", "style"]


@dataclass(frozen=True, slots=True)
class Model:
    """One checkpoint, as far as an asset's requirements need it."""

    id: str
    family: Family
    kind: Kind
    sample_rate_hz: int
    channels: int
    window_s: float
    """Longest audio of one pass, in seconds."""
    text_encoder: str | None
    hears: frozenset[Input]
    """Audio inputs that it can be conditioned on, besides text."""
    revision: str | None
    """Commit of the published repository, or ``sha256:...`` of a local folder; None until it is fetched."""
    license: str
    commercial: bool
    dim: int = 1024
    layers: int = 24
    missing: str | None = None
    """What AudioCraft 1.3.0 lacks for it; None if it can run."""

    @property
    def stride_s(self) -> float | None:
        """Seconds that each further window adds; None if a model cannot extend.

        AudioCraft's own values: 18 s of 30 for MusicGen, 2 s of 10 for AudioGen; scaled for other windows.
        """
        if self.family == "magnet":
            return None
        return round(self.window_s * (0.6 if self.family == "musicgen" else 0.2), 6)

    @property
    def decoders(self) -> tuple[str, ...]:
        """The decoders of its codes: MultiBand Diffusion was trained only for mono MusicGen at 32 kHz."""
        trained = (self.family, self.channels, self.sample_rate_hz) == ("musicgen", 1, 32_000)
        return ("encodec", "mbd") if trained else ("encodec",)

    def info(self) -> ModelInfo:
        """The facts that a person needs before they ship its output."""
        return ModelInfo(
            id=self.id,
            revision=self.revision or UNFETCHED,
            license=self.license,
            commercial=self.commercial,
            sample_rate_hz=self.sample_rate_hz,
            channels=self.channels,
            neural=True,
            placeholder=False,
            published=not self.id.startswith(LOCAL_ID),
            terms=_TERMS if self.license == LICENSE else None,
        )

    def to_json(self) -> dict[str, Any]:
        """JSON values; `from_json` reads them back."""
        return {**asdict(self), "hears": sorted(self.hears)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Model:
        """The model of `to_json`'s values."""
        return cls(**{**values, "hears": frozenset(values["hears"])})


LICENSE = "CC-BY-NC-4.0"
_TERMS = LicenseTerms(
    source="https://github.com/facebookresearch/audiocraft/blob/main/LICENSE_weights", read="2026-11-28"
)
LOCAL_LICENSE = "unknown (a local checkpoint)"
LOCAL_ID = "local/"
"""Prefix of the id of a local checkpoint."""
FRAMES_A_SECOND = 50

_COMMITS = {
    "musicgen-small": "4c8334b02c6ec4e8664a91979669a501ec497792",
    "musicgen-medium": "ecb62cced6f4cb9a2d4b39679b5a121606cb45c8",
    "musicgen-large": "c19300a6b2b62d29b345ae9eb7b163278e65238a",
    "musicgen-melody": "51e18546f12df76256cdf55199560a82366389fe",
    "musicgen-melody-large": "56e9ba4d58f0469230188b9386b663ebb7a67d9c",
    "musicgen-stereo-small": "9520631640f24f25ae1dc16e42de5c6b83c32843",
    "musicgen-stereo-medium": "2bd78827dd4cef42cc99b1d82ee395e9515675a5",
    "musicgen-stereo-large": "b178bb36e8dd5a927b98a9549c1bdcf2c209e504",
    "musicgen-stereo-melody": "022c3bd20a7d77e7c014082f0391bcbcd3940a7a",
    "musicgen-stereo-melody-large": "a365faa16ac115d795995553748277e1419f562a",
    "musicgen-style": "bd0bbe32a093ef751414cf2dd7a9a7e4fef16e96",
    "audiogen-medium": "1277dd7dfd8fa57a205a70acc5de0ee90804502f",
    "magnet-small-10secs": "24b1f6414465bdc3aff7ad2b3efa3ef570b2e2cc",
    "magnet-medium-10secs": "e037c00673fcf544ef6dade5c1cf49c9ae0b4196",
    "magnet-small-30secs": "cc27203690e705b1383983ed2e56edf646ef9bad",
    "magnet-medium-30secs": "5d3fbb4932dbb71fec79c0df1dcac01fdefb38eb",
    "audio-magnet-small": "2401f252c836fcbd24f2ffa9cf98466a04b9eb17",
    "audio-magnet-medium": "d76eb4211c5527e5c18481293250828edca06d7d",
}
"""Commit of each published repository that has both files of its checkpoint, as the hub's pages show it."""


_SIZES = {"small": (1024, 24), "medium": (1536, 48), "large": (2048, 48)}
"""Width and layers; a model without a size in its name is a medium one."""


def _published(name: str, commit: str) -> Model:
    """The model, which its name describes."""
    words = name.split("-")
    family: Family = "magnet" if "magnet" in words else "audiogen" if words[0] == "audiogen" else "musicgen"
    kind: Kind = "sfx" if words[0] in ("audio", "audiogen") else "music"
    inputs: dict[str, Input] = {"melody": "melody", "style": "style"}
    hears = {inputs[word] for word in words if word in inputs}
    dim, layers = next((_SIZES[word] for word in words if word in _SIZES), _SIZES["medium"])
    return Model(
        id=f"facebook/{name}",
        family=family,
        kind=kind,
        sample_rate_hz=32_000 if kind == "music" else 16_000,
        channels=2 if "stereo" in words else 1,
        window_s=10.0 if kind == "sfx" or "10secs" in words else 30.0,
        text_encoder="t5-large" if family == "audiogen" else "t5-base",
        hears=frozenset() if family == "magnet" else frozenset({"continue_from", *hears}),
        revision=commit,
        license=LICENSE,
        commercial=False,
        dim=dim,
        layers=layers,
    )


PUBLISHED = tuple(_published(name, commit) for name, commit in _COMMITS.items())

BY_ID = {model.id: model for model in PUBLISHED}

DEFAULTS: dict[Kind, str] = {"music": "facebook/musicgen-medium", "sfx": "facebook/audiogen-medium"}

MERT = "m-a-p/MERT-v1-95M"
"""The feature extractor of the style conditioner."""
MBD = "facebook/multiband-diffusion"

HELPERS = {
    "t5-base": ("google-t5/t5-base", "a9723ea7f1b39c1eae772870f3b547bf6ef7e6c1"),
    "t5-large": ("google-t5/t5-large", "150ebc2c4b72291e770f58e6057481c8d2ed331a"),
    "t5-small": ("google-t5/t5-small", None),
    "facebook/encodec_32khz": ("facebook/encodec_32khz", "d0c45384f6c44db055f78200cfdcb9c1c8706727"),
    "facebook/encodec_24khz": ("facebook/encodec_24khz", None),
    MERT: (MERT, "12af15fef9d0ac838c3f475bfbbf26d2060dd4f5"),
    MBD: (MBD, "62daf9743d37c54e13366e396241a476908ecad7"),
}
"""Models that checkpoints need, by the name in a configuration: repository and commit."""


def unknown_model(name: str, kind: Kind, revision: str | None) -> Model:
    """What to assume of a model of which nothing is known: a small MusicGen."""
    return Model(name, "musicgen", kind, 32_000, 1, 30.0, None, frozenset(), revision, LICENSE, False)


def full_id(name: str) -> str:
    """``name`` as in the model store: ``facebook/`` may be omitted.

    >>> full_id("musicgen-small"), full_id("local/ours"), full_id("t5-base")
    ('facebook/musicgen-small', 'local/ours', 't5-base')
    """
    return name if name in HELPERS or "/" in name else f"facebook/{name}"


def names(models: Iterable[Model]) -> str:
    """The models' ids as a list in a sentence."""
    return ", ".join(model.id for model in models)


@dataclass(frozen=True, slots=True)
class Window:
    """One pass of the language model, in frames."""

    start: int
    """First frame in the take."""
    prompt: int
    """Frames at its start that are known."""
    length: int
    """Frames with the prompt."""


def windows(total: int, prompt: int, window: int, stride: int | None) -> tuple[Window, ...]:
    """The passes that make ``total`` frames, of which the first ``prompt`` are known.

    >>> windows(40, 0, 50, None)
    (Window(start=0, prompt=0, length=40),)
    >>> windows(70, 0, 50, 30)
    (Window(start=0, prompt=0, length=50), Window(start=30, prompt=20, length=40))
    """
    if total <= window:
        return (Window(0, prompt, total),)
    if stride is None or not 0 < stride < window:
        raise ValueError(f"{total} frames are more than a window of {window}, and the stride is {stride}")
    passes = [Window(0, prompt, window)]
    while passes[-1].start + passes[-1].length < total:
        start = passes[-1].start + stride
        passes.append(Window(start, passes[-1].length - stride, min(window, total - start)))
    return tuple(passes)
