"""Different prompts sound different; variations of one prompt sound alike."""

import numpy as np
import pytest
from sketch_listening import fingerprint, mono

CORPUS = (
    "footstep on gravel",
    "footstep on wood",
    "footstep on snow",
    "footstep on metal",
    "footstep in water",
    "glass shatters",
    "heavy punch",
    "sword clang on metal shield",
    "wooden crate impact",
    "sword whoosh",
    "huge explosion",
    "pistol gunshot",
    "laser blaster",
    "laser charging",
    "ui click",
    "ui confirm",
    "ui error",
    "notification",
    "coin pickup",
    "healing spell",
    "dark curse magic",
    "old wooden door creaks open",
    "sci-fi sliding door",
    "wolf growl",
    "snake hiss",
    "rat squeak",
    "wolf howl",
    "car engine",
    "jet engine",
    "electric zap",
    "howling wind",
    "heavy rain",
    "thunder",
    "campfire",
    "babbling stream",
    "splash",
    "bubbling cauldron",
    "page turn",
    "keys jingle",
    "church bell",
    "heartbeat",
    "alarm klaxon",
    "quiet room tone",
)


@pytest.fixture(scope="module")
def prints():
    return np.array([[fingerprint(mono(prompt, 1.5, seed=seed)) for seed in (1, 2, 3)] for prompt in CORPUS])


def distance(one, two):
    return float(np.sqrt(np.sum((one - two) ** 2)))


def test_variations_lie_closer_together_than_prompts(prints):
    within = [np.mean([distance(p[0], p[1]), distance(p[1], p[2]), distance(p[0], p[2])]) for p in prints]
    between = [
        distance(prints[a, 0], prints[b, 0]) for a in range(len(CORPUS)) for b in range(len(CORPUS)) if a != b
    ]
    assert np.mean(within) < 0.35 * np.mean(between)
    assert np.quantile(within, 0.9) < np.quantile(between, 0.25)


def test_a_variation_is_nearest_to_its_own_prompt(prints):
    hits = 0
    for k in range(len(CORPUS)):
        near = [distance(prints[k, 1], other[0]) for other in prints]
        hits += int(np.argmin(near) == k)
    assert hits >= 0.85 * len(CORPUS)


def test_unknown_prompts_differ_from_each_other():
    one, two = (fingerprint(mono(prompt, 0.8)) for prompt in ("blorp", "zyzzyva"))
    again = fingerprint(mono("blorp", 0.8, seed=2))
    assert distance(one, again) < distance(one, two)


MUSIC = (
    "calm forest, nylon guitar and flute",
    "epic boss battle, taiko, brass",
    "creepy dungeon",
    "chiptune platformer",
    "solo piano, sad",
    "heavy metal",
    "synthwave",
    "ambient space drone",
)


def test_styles_of_music_differ_more_than_their_variations():
    prints = np.array(
        [[fingerprint(mono(p, 8.0, kind="music", loop=True, seed=s)) for s in (1, 2)] for p in MUSIC]
    )
    within = np.mean([distance(p[0], p[1]) for p in prints])
    between = [distance(prints[a, 0], prints[b, 0]) for a in range(len(MUSIC)) for b in range(a)]
    assert within < 0.6 * np.mean(between)
