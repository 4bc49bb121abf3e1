"""How the sketch engine reads prompts."""

import pytest

from pipeline.generators.sketch.music.reading import read_music
from pipeline.generators.sketch.sfx.reading import read_sound
from pipeline.generators.sketch.text import read_words

FAMILIES = {
    "a single footstep on gravel, close, dry": "footstep",
    "footsteps running through snow": "footstep",
    "sword hits a metal shield": "impact",
    "heavy punch to the gut": "impact",
    "glass shatters": "impact",
    "fast sword swing whoosh": "whoosh",
    "huge explosion with debris": "explosion",
    "pistol gunshot": "gunshot",
    "sci-fi laser blaster": "laser",
    "UI button click": "click",
    "menu hover": "hover",
    "menu confirm": "confirm",
    "UI error, action denied": "error",
    "quest notification popup": "notify",
    "coin pickup": "coin",
    "healing spell, sparkling": "magic",
    "fireball spell cast": "magic",
    "old wooden door creaks open": "door",
    "treasure chest opening, wooden creak": "door",
    "dragon roar": "creature",
    "ghost wail": "creature",
    "car engine idling": "engine",
    "electric sparks": "electric",
    "howling wind": "wind",
    "heavy rain on leaves": "rain",
    "distant thunder": "thunder",
    "crackling campfire": "fire",
    "babbling stream": "stream",
    "splash into a lake": "splash",
    "water dripping": "drip",
    "bubbling potion": "bubbles",
    "page turn of an old book": "rustle",
    "keys jingle": "jingle",
    "sword unsheathe": "scrape",
    "church bell": "bell",
    "heartbeat at low health": "heartbeat",
    "alarm siren": "alarm",
    "robot beeps": "robot",
    "forest ambience with birds": "ambience",
    "quiet room tone": "room",
    "fnord": "fallback",
    "東京タワー": "fallback",
    "": "fallback",
}


@pytest.mark.parametrize(("prompt", "family"), FAMILIES.items())
def test_prompt_names_its_family(prompt, family):
    assert read_sound(prompt).family == family


@pytest.mark.parametrize(
    "surface", ["gravel", "wood", "snow", "stone", "metal", "grass", "water", "mud", "sand"]
)
def test_footstep_hears_its_surface(surface):
    assert read_sound(f"a single footstep on {surface}").material == surface


def test_adjectives_set_size_force_and_distance():
    reading = read_sound("huge violent explosion, distant")
    assert reading.size > 0.5
    assert reading.force > 0.5
    assert reading.distance > 0.5
    assert read_sound("tiny gentle splash").size < -0.5


def test_endings_of_words_do_not_matter():
    assert read_sound("winds howl").family == read_sound("howling wind").family == "wind"


def test_what_is_denied_is_not_heard():
    words = read_words("calm, no drums or heavy bass, with flute")
    assert words.has("flute")
    assert not words.has("drum")
    assert words.denies("drum", "bass")


@pytest.mark.parametrize(
    ("prompt", "style"),
    [
        ("calm woodland exploration, nylon guitar", "folk"),
        ("epic boss battle, full orchestra", "orchestral"),
        ("ambient space drone", "ambient"),
        ("creepy haunted asylum", "horror"),
        ("synthwave neon night drive", "electronic"),
        ("8-bit chiptune", "chiptune"),
        ("lo-fi hip hop, chill", "jazz"),
        ("thrash metal riff", "rock"),
        ("desert bazaar", "desert"),
        ("samurai temple, koto", "asian"),
        ("snowy mountain, magical", "winter"),
        ("sad piano", "piano"),
        ("playful puzzle", "playful"),
        ("stealth, tense", "tension"),
        ("pirate shanty", "sea"),
        ("tropical island", "tropical"),
        ("wild west saloon", "western"),
        ("blorp", "fallback"),
    ],
)
def test_prompt_names_its_style(prompt, style):
    assert read_music(prompt, 30.0, True).style == style


def test_named_instruments_play():
    reading = read_music("calm woodland, nylon guitar, airy flute, strings", 30.0, True)
    assert (reading.comp, reading.lead, reading.pad) == ("nylon guitar", "flute", "strings")


def test_two_named_tuned_instruments_share_tune_and_accompaniment():
    reading = read_music("celesta and harp, dreamy", 30.0, True)
    assert (reading.lead, reading.comp) == ("celesta", "harp")


def test_solo_plays_alone():
    reading = read_music("solo piano, sad", 30.0, True)
    assert reading.lead == reading.comp == "piano"
    assert (reading.pad, reading.bass, reading.kit) == (None, None, "none")


def test_denied_parts_stay_silent():
    reading = read_music("epic battle, no drums, no melody", 30.0, True)
    assert reading.kit == "none"
    assert reading.lead is None


def test_a_band_of_nothing_still_has_a_pad():
    assert read_music("solo flute, no flute", 30.0, True).pad == "warm pad"


@pytest.mark.parametrize(("slow", "fast"), [("slow sad", "frantic battle"), ("calm", "energetic")])
def test_tempo_and_energy_follow_words(slow, fast):
    low, high = read_music(slow, 30.0, True), read_music(fast, 30.0, True)
    assert low.tempo_bpm + 20 < high.tempo_bpm
    assert low.energy + 0.2 < high.energy


def test_waltz_counts_three():
    assert read_music("elegant waltz", 30.0, True).beats_in_bar == 3


@pytest.mark.parametrize(
    ("prompt", "loop", "gesture"),
    [
        ("victory fanfare", False, "success"),
        ("game over, defeat", False, "failure"),
        ("secret found", False, "discovery"),
        ("ambush!", False, "danger"),
        ("victory fanfare", True, None),
    ],
)
def test_short_cues_are_gestures_and_loops_never_are(prompt, loop, gesture):
    assert read_music(prompt, 5.0, loop).stinger == gesture


@pytest.mark.parametrize(
    ("prompt", "mode"),
    [("roman legion march", "minor"), ("roman feast", "dorian"), ("calm roman villa garden", "pentatonic")],
)
def test_roman_is_no_word_for_a_mode(prompt, mode):
    assert read_music(prompt, 30, True).mode == mode
