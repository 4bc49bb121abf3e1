"""The parts of an asset that many assets have in common; equal parts are one object."""

from __future__ import annotations

from pipeline.manifest.language import StyleKeys
from pipeline.manifest.settings import Values, intro_seconds
from pipeline.manifest.spec import DeliverySpec, Hearing, MasteringSpec, QualitySpec, Sampling


class Parts:
    """Makes the shared parts of assets from settled values."""

    def __init__(self) -> None:
        self._mastering: dict[MasteringSpec, MasteringSpec] = {}
        self._delivery: dict[DeliverySpec, DeliverySpec] = {}
        self._quality: dict[QualitySpec, QualitySpec] = {}
        self._sampling: dict[Sampling, Sampling] = {}
        self._hearing: dict[Hearing, Hearing] = {}

    def mastering(self, values: Values) -> MasteringSpec:
        """How the takes are mastered. A loop is neither faded nor trimmed, and only a loop needs a tempo."""
        loop = values["loop"]
        spec = MasteringSpec(
            loudness_lufs=values["loudness"],
            true_peak_dbtp=values["true_peak"],
            sample_rate_hz=values["sample_rate"],
            channels=values["channels"],
            duration_s=values["duration"],
            loop=loop,
            bpm=values["bpm"] if loop else None,
            trim=values["trim"] and not loop,
            fade_in_s=0.0 if loop else values["fade"]["in_"],
            fade_out_s=0.0 if loop else values["fade"]["out"],
            fade_curve="s_curve" if loop else values["fade"]["curve"],
            intro_s=intro_seconds(values["intro"], values["bpm"]) if loop else 0.0,
            exact=values["exact"],
            width=values["width"],
        )
        return self._mastering.setdefault(spec, spec)

    def delivery(self, values: Values) -> DeliverySpec:
        """Which files are made."""
        spec = DeliverySpec(formats=values["formats"], bit_depth=values["bit_depth"])
        return self._delivery.setdefault(spec, spec)

    def quality(self, values: Values) -> QualitySpec:
        """Where the gates close."""
        said = values["quality"]
        spec = QualitySpec(
            gate=said["gate"],
            silence_lufs=said["silence"],
            clipping=said["clipping"],
            dc=said["dc"],
            noise=said["noise"],
            tail_noise_db=said["tail_noise"],
            seam=said["seam"],
            duplicates=said["duplicates"],
        )
        return self._quality.setdefault(spec, spec)

    def sampling(self, values: Values) -> Sampling:
        """How a language model draws."""
        spec = Sampling(**values["sampling"])
        return self._sampling.setdefault(spec, spec)

    def hearing(self, said: StyleKeys | None) -> Hearing:
        """How a style is heard."""
        spec = hearing_of(said)
        return self._hearing.setdefault(spec, spec)


def hearing_of(said: StyleKeys | None) -> Hearing:
    """How a style is heard, with the usual values for what is not written."""
    usual = Hearing()
    if said is None:
        return usual
    return Hearing(
        at_s=said.at,
        excerpt_s=usual.excerpt_s if said.excerpt is None else said.excerpt,
        codebooks=usual.codebooks if said.codebooks is None else said.codebooks,
        text=usual.text if said.text is None else said.text,
    )
