"""One picture of what the example game sounds like, for README: each bar is a moment, its colour how bright it sounds.

    python scripts/sound_sheet.py [--to docs/images/sounds.svg]

Draws the first take of some assets of manifests/emberfall.yaml, as the sketch engine makes it, without a build. The
height of a bar is the level (RMS) of its moment, over 36 dB; its colour is the spectral centroid, from 150 Hz to 6 kHz.
"""

from __future__ import annotations

import argparse
import sys
from html import escape
from pathlib import Path
from textwrap import shorten

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT)]

from pipeline.audio import Clip  # noqa: E402
from pipeline.generators import GeneratedTake, engine_keys  # noqa: E402
from pipeline.generators.sketch import ENGINE  # noqa: E402
from pipeline.manifest.loader import load  # noqa: E402
from pipeline.manifest.spec import AssetSpec  # noqa: E402
from pipeline.plan.digests import recipes_for  # noqa: E402
from pipeline.store.disk import write_atomically  # noqa: E402

SHOWN = (
    "music/forest/explore",
    "music/combat/golem",
    "stinger/victory",
    "ambience/rain/heavy",
    "ambience/fire/campfire",
    "ambience/wind/ridge",
    "sfx/footstep/gravel",
    "sfx/sword/whoosh",
    "sfx/explosion/huge",
    "sfx/door/wood/open",
    "sfx/creature/mire_wolf/growl",
    "ui/coin",
)
_COLUMNS, _WIDTH, _HEIGHT, _BARS = 3, 312, 112, 104
_RANGE_DB = 36.0
_DARK_HZ, _BRIGHT_HZ = 150.0, 6000.0
_COLOURS = np.array([[59, 76, 152], [0, 121, 140], [46, 160, 90], [214, 158, 20], [206, 66, 45]])
"""From dark to bright sounds, as RGB."""
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #3c4650 } .name { font-weight: 600; fill: #12181d }
.card { fill: #f6f8f9; stroke: #d5dce0 }
@media (prefers-color-scheme: dark) {
text { fill: #aab6bf } .name { fill: #eef2f4 } .card { fill: #182026; stroke: #33404a } }
"""


def first_take(asset: AssetSpec) -> Clip:
    """The take that the sketch engine makes for the first variation, without the silence at its end."""
    recipe = recipes_for(asset, ENGINE.requirements(asset), ENGINE.version, frozenset())[0][0]
    ((_, take),) = ENGINE.open("cpu").generate([recipe], {})
    if not isinstance(take, GeneratedTake):
        raise SystemExit(f"{asset.id}: {take}")
    level = np.abs(take.clip.samples).max(axis=0)
    heard = np.flatnonzero(level > level.max() / 1000)
    return Clip(take.clip.samples[:, : heard[-1] + 1], take.clip.rate)


def bars(clip: Clip) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Of each bar: its height, 0 to 1, and how bright it sounds, 0 to 1."""
    moments = np.array_split(clip.samples.mean(axis=0).astype(np.float64), _BARS)
    levels = np.array([np.sqrt(np.mean(moment**2)) for moment in moments])
    heights = 1 + 20 * np.log10(np.maximum(levels / levels.max(), 1e-9)) / _RANGE_DB
    spectra = [np.abs(np.fft.rfft(moment * np.hanning(len(moment)))) ** 2 for moment in moments]
    centroids = np.array(
        [power @ np.linspace(0, clip.rate / 2, len(power)) / max(power.sum(), 1e-12) for power in spectra]
    )
    bright = np.log(np.maximum(centroids, 1) / _DARK_HZ) / np.log(_BRIGHT_HZ / _DARK_HZ)
    return np.clip(heights, 0.02, 1), np.clip(bright, 0, 1)


def card(asset: AssetSpec, place: int) -> str:
    """One sound as SVG."""
    left, top = place % _COLUMNS * (_WIDTH + 8), place // _COLUMNS * (_HEIGHT + 8)
    clip = first_take(asset)
    step = (_WIDTH - 24) / _BARS
    drawn = []
    for bar, (height, bright) in enumerate(zip(*bars(clip), strict=True)):
        at = bright * (len(_COLOURS) - 1)
        red, green, blue = (np.interp(at, range(len(_COLOURS)), channel) for channel in _COLOURS.T)
        drawn.append(
            f'<rect x="{12 + bar * step:.1f}" y="{55 - 25 * height:.1f}" width="{step * 0.72:.1f}" '
            f'height="{50 * height:.1f}" rx="0.8" fill="rgb({red:.0f},{green:.0f},{blue:.0f})"/>'
        )
    prompt = shorten(asset.prompt, 44, placeholder=" …")
    return (
        f'<g transform="translate({left} {top})"><rect class="card" width="{_WIDTH}" height="{_HEIGHT}" rx="6"/>'
        f'<text class="name" x="12" y="21">{escape(asset.id)}</text>'
        f'<text x="{_WIDTH - 12}" y="21" text-anchor="end">{clip.length / clip.rate:.1f} s</text>'
        f'{"".join(drawn)}<text x="12" y="100">{escape(prompt)}</text></g>'
    )


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "images" / "sounds.svg")
    to = parser.parse_args().to
    project = load(ROOT / "manifests" / "emberfall.yaml", "prototype", engine_keys)
    assets = {asset.id: asset for asset in project.assets}
    cards = "\n".join(card(assets[name], place) for place, name in enumerate(SHOWN))
    width = _COLUMNS * (_WIDTH + 8) - 8
    height = -(-len(SHOWN) // _COLUMNS) * (_HEIGHT + 8) - 8
    write_atomically(
        to,
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-1 -1 {width + 2} {height + 2}" role="img">\n'
            f"<title>Twelve sounds of the example game, each with its prompt</title>\n"
            f"<style>{_STYLE}</style>\n{cards}\n</svg>\n"
        ).encode(),
    )


if __name__ == "__main__":
    main()
