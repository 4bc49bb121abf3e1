"""What a music prompt asks for: style, mode, tempo, energy and instruments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pipeline.generators.sketch import lexicon_music as lexicon
from pipeline.generators.sketch.text import Words, named_values, read_words, score

_SHORT_S = 12.0
_RELATED_TEMPO = 4.0
"""Weight of the tempi that words name against the style's own tempo."""


@dataclass(frozen=True)
class MusicReading:
    """What was read from a music prompt. Variations of an asset share all of it."""

    style: str
    mode: str
    tempo_bpm: float
    beats_in_bar: int
    energy: float
    """0 (still) to 1 (battle)."""
    lead: str | None
    comp: str | None
    pad: str | None
    bass: str | None
    kit: str
    space: str
    stinger: str | None
    """The gesture of a short cue: ``success``, ``failure``, ``discovery`` or ``danger``."""
    fingerprint: int


def read_music(prompt: str, seconds: float, loop: bool) -> MusicReading:
    """Read a music prompt; ``seconds`` and ``loop`` decide whether it is a stinger."""
    words = read_words(prompt)
    name = _best(words, lexicon.STYLE_WORDS) or "fallback"
    style = lexicon.STYLES[name]
    mode = _best(words, lexicon.MODES) or style.mode
    energy = _energy(words, style.energy)
    reading = MusicReading(
        style=name,
        mode=mode,
        tempo_bpm=_tempo(words, style.tempo),
        beats_in_bar=3 if words.has(*lexicon.WALTZ_WORDS) else 4,
        energy=energy,
        lead=_pick(style.lead, words),
        comp=_pick(style.comp[::-1], words),
        pad=_pick(style.pad, words),
        bass=style.bass,
        kit=_kit(words, style.kit, energy),
        space=_space(words, style.space),
        stinger=_stinger(words, seconds, loop),
        fingerprint=words.fingerprint,
    )
    return _without_denied(_with_named_players(reading, words), words)


def _best(words: Words, tables: Mapping[str, Mapping[str, float]]) -> str | None:
    """The table with the highest score, the first of equals; None if no score is above 0."""
    scores = {name: score(words, table) for name, table in tables.items()}
    name = max(scores, key=lambda key: scores[key])
    return name if scores[name] > 0 else None


def _pick(choices: tuple[str, ...], words: Words) -> str:
    return choices[words.fingerprint % len(choices)]


def _tempo(words: Words, own: float) -> float:
    """The weighted mean of the tempi that words name and the style's own tempo."""
    named = named_values(words, lexicon.TEMPI)
    mean = (own + _RELATED_TEMPO * sum(named) / len(named)) / (1 + _RELATED_TEMPO) if named else own
    return float(round(mean + (words.fingerprint >> 8) % 5 - 2))


def _energy(words: Words, own: float) -> float:
    named = named_values(words, lexicon.ENERGIES)
    return (own + 2.0 * sum(named)) / (1 + 2.0 * len(named))


def _space(words: Words, own: str) -> str:
    if words.has("dry", "intimate", "close"):
        return "room"
    if words.has("cathedral", "vast", "reverberant", "huge", "cavernous"):
        return "cathedral"
    return own


def _kit(words: Words, own: str, energy: float) -> str:
    named = _best(words, lexicon.KITS)
    if words.denies(*lexicon.DRUM_WORDS):
        return "none"
    if named and (words.has(*lexicon.DRUM_WORDS) or score(words, lexicon.KITS[named]) >= 3):
        return named
    if own == "none":
        return "shaker" if words.has(*lexicon.DRUM_WORDS) or energy > 0.5 else "none"
    return own


def _stinger(words: Words, seconds: float, loop: bool) -> str | None:
    if loop or (seconds > _SHORT_S and not words.has(*lexicon.STINGER_WORDS)) or seconds > 2 * _SHORT_S:
        return None
    return _best(words, lexicon.STINGERS) or "discovery"


def _with_named_players(reading: MusicReading, words: Words) -> MusicReading:
    """Give parts to the instruments that the prompt names, in its order."""
    named = sorted(
        (words.first(*matches), -max(len(entry) for entry in matches), name)
        for name, entries in lexicon.INSTRUMENTS.items()
        if (matches := [entry for entry in entries.split() if words.has(entry)])
    )
    names = [name for _, _, name in named]
    if {"power guitar", "nylon guitar"} <= {*names} and not words.has("acoustic_guitar", "nylon_guitar"):
        names.remove("nylon guitar")
    if not names:
        return reading
    leads = [name for name in names if lexicon.PARTS[name] == "lead"]
    pads = [name for name in names if lexicon.PARTS[name] == "pad"]
    basses = [name for name in names if lexicon.PARTS[name] == "bass"]
    comps = [name for name in names if lexicon.PARTS[name] in ("comp", "any")]
    if "power guitar" in comps and not leads:
        leads = ["lead guitar"]
    tuneful = [name for name in comps if lexicon.PARTS[name] == "any"]
    if not leads and tuneful:
        leads = tuneful[:1]
        comps = [name for name in comps if name != leads[0]] or leads
    if words.has("solo"):
        alone = names[0]
        comp = None if lexicon.PARTS[alone] in ("lead", "pad") else alone
        return replace(reading, lead=alone, comp=comp, pad=None, bass=None, kit="none")
    parts = {"lead": leads, "comp": comps, "pad": pads, "bass": basses}
    chosen: dict[str, Any] = {part: players[0] for part, players in parts.items() if players}
    return replace(reading, **chosen)


def _without_denied(reading: MusicReading, words: Words) -> MusicReading:
    """Remove the parts that the prompt excludes."""
    names = {"lead": ("melody", "lead", "tune"), "comp": (), "pad": (), "bass": ("bass",)}
    players = {part: getattr(reading, part) for part in names}
    for part, player in players.items():
        own = (*lexicon.INSTRUMENTS.get(player, "").split(), player.replace(" ", "_")) if player else ()
        if words.denies(*names[part], *own):
            players[part] = None
    if not any(players.values()):
        players["pad"] = "warm pad"
    return replace(reading, **players)
