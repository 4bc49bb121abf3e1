"""The words that music prompts are read by: moods, tempi, styles and instruments, as plain tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from pipeline.generators.sketch.text import weights

MODES = {
    "major": weights(
        (3, "major happy joyful cheerful merry uplifting triumphant victorious"),
        (
            2,
            "bright sunny playful hopeful heroic cozy cosy warm carefree fun festive optimistic victory glad",
        ),
        (1, "light village peaceful home town shop menu romantic tutorial celebration"),
    ),
    "lydian": weights(
        (3, "lydian wonder wondrous magical dreamy enchanted"),
        (2, "fairy ethereal floating awe celestial heavenly shimmering discovery sparkle flying"),
        (1, "magic crystal sky starlight space winter ice snow"),
    ),
    "mixolydian": weights(
        (3, "mixolydian celtic irish jig tavern"),
        (2, "folk pirate western adventure adventurous travel journey sailor bardic"),
        (1, "medieval rock exploration explore quest road"),
    ),
    "dorian": weights(
        (3, "dorian noir"),
        (
            2,
            "mysterious mystery mystic curious bittersweet funky funk lofi lo_fi woodland ancient "
            "sneaky smoky",
        ),
        (1, "jazz jazzy medieval forest desert cyberpunk stealth ruins blues bluesy detective autumn"),
    ),
    "minor": weights(
        (3, "minor sad sorrow sorrowful tragic melancholy melancholic mournful grief"),
        (
            2,
            "dark lonely battle boss epic fight combat emotional somber sombre tense brooding defeat "
            "loss funeral",
        ),
        (1, "dramatic rain night serious synthwave cyberpunk war chase storm action danger suspense"),
    ),
    "phrygian": weights(
        (3, "phrygian menacing ominous evil sinister"),
        (
            2,
            "horror dread nightmare terror demonic hell infernal dungeon scary creepy eerie "
            "threatening cursed",
        ),
        (1, "metal danger villain haunted underground suspense cave catacomb crypt"),
    ),
    "harmonic minor": weights(
        (3, "harmonic_minor gothic vampire"),
        (2, "villain baroque dramatic haunted waltz_macabre spooky halloween witch"),
        (1, "boss dark castle tango organ"),
    ),
    "phrygian dominant": weights(
        (3, "arabian arabic egyptian persian oriental phrygian_dominant"),
        (2, "desert bazaar sand pyramid oasis dune middle_eastern snake oud"),
    ),
    "pentatonic": weights(
        (3, "pentatonic chinese zen"),
        (2, "asian bamboo african tribal island tropical garden koto oriental_garden"),
        (1, "meditation meditative jungle temple"),
    ),
    "japanese": weights(
        (3, "japanese japan samurai ninja shogun shamisen shakuhachi"), (2, "koto sakura geisha")
    ),
}

TEMPI: dict[float, str] = {
    50: "larghissimo glacial",
    56: "largo funeral",
    64: "drone ambient meditation meditative",
    66: "very_slow adagio lullaby",
    72: "slow slowly solemn mournful melancholy melancholic sad eerie dreamy",
    80: "calm peaceful serene lonely relaxed relaxing gentle soothing mysterious",
    82: "lofi lo_fi chill laid_back",
    92: "andante walking moderate exploration explore ominous suspense",
    104: "cozy cosy warm playful village town medieval",
    110: "moderato march marching stealth heroic",
    126: "upbeat lively merry allegro energetic dance festive jig groovy funky",
    120: "house techno synthwave cyberpunk",
    138: "battle combat fight action epic boss",
    146: "fast driving urgent rock chase chasing racing race",
    164: "presto frantic frenetic intense furious panic",
    174: "drum_and_bass jungle_dnb breakneck thrash speed",
}

ENERGIES = {
    0.05: "ambient drone meditative sleepy sleep still silent lullaby",
    0.18: "calm peaceful serene gentle soft quiet soothing delicate lonely sad melancholy melancholic tender"
    " sparse minimal subtle relaxing relaxed dreamy eerie airy mournful",
    0.35: "mysterious slow warm cozy cosy chill lofi mellow ominous light suspense stealth sneaky",
    0.55: "moderate walking playful curious adventurous adventure travel groovy jazzy march tense "
    "heroic merry",
    0.75: "upbeat lively driving energetic danger festive dance victorious triumphant dramatic urgent "
    "powerful",
    0.95: "battle boss epic combat fight intense furious frantic aggressive chase action war heavy "
    "explosive fast"
    " thrash brutal massive",
}

WALTZ_WORDS = ("waltz", "lullaby", "three_four", "minuet", "carousel", "music_box_waltz")


class Band(NamedTuple):
    """Who plays each part; a prompt picks one of several."""

    lead: tuple[str, ...]
    comp: tuple[str, ...]
    pad: tuple[str, ...]
    bass: str
    kit: str


def _band(lead: str, comp: str, pad: str, bass: str, kit: str) -> Band:
    return Band(tuple(lead.split(", ")), tuple(comp.split(", ")), tuple(pad.split(", ")), bass, kit)


@dataclass(frozen=True)
class Style:
    """A genre: the words that name it, its band, mode, tempo, energy and room."""

    words: dict[str, float]
    band: Band
    mode: str
    tempo: float
    energy: float
    space: str = "hall"


STYLES = {
    "folk": Style(
        weights(
            (3, "folk woodland medieval tavern village celtic lute bard bardic irish jig"),
            (2, "forest town countryside rustic farm minstrel inn hearth"),
            (1, "meadow nature explore exploration travel market elf elven green"),
        ),
        _band("flute, fiddle, ocarina", "nylon guitar, harp", "strings", "upright bass", "folk"),
        "dorian",
        98,
        0.4,
    ),
    "orchestral": Style(
        weights(
            (3, "orchestral orchestra symphonic cinematic epic heroic boss"),
            (2, "battle war fantasy kingdom castle knight dragon royal triumphant combat victory fanfare"),
            (1, "adventure dramatic quest hero fight army siege theme march"),
        ),
        _band("brass, violin", "staccato strings", "strings, choir", "contrabass", "taiko"),
        "minor",
        128,
        0.8,
    ),
    "ambient": Style(
        weights(
            (3, "ambient drone atmospheric atmosphere soundscape space cosmic nebula"),
            (
                2,
                "meditative floating ethereal underwater ocean deep starfield galaxy planet serene vast void",
            ),
            (1, "calm dreamy sci_fi alien sky peaceful airy quiet"),
        ),
        _band("bells, electric piano", "soft synth", "warm pad, choir", "sub bass", "none"),
        "lydian",
        70,
        0.12,
        "cathedral",
    ),
    "horror": Style(
        weights(
            (3, "horror creepy eerie scary haunted nightmare dread terror"),
            (2, "dungeon crypt catacomb sinister ominous ghost cursed asylum zombie undead cave abyss"),
            (1, "dark tense suspense underground graveyard evil unsettling fear"),
        ),
        _band("music box, violin", "bells", "dark drone, tremolo strings", "contrabass", "dread"),
        "phrygian",
        66,
        0.25,
        "cathedral",
    ),
    "electronic": Style(
        weights(
            (3, "electronic synthwave cyberpunk techno edm synth electro house trance"),
            (2, "neon futuristic hacker dance club arcade_racer retrowave dubstep sci_fi"),
            (1, "city robot racing digital chase laser cyber drive driving"),
        ),
        _band("saw lead", "synth arp", "analog pad", "synth bass", "electronic"),
        "minor",
        118,
        0.7,
        "plate",
    ),
    "chiptune": Style(
        weights(
            (4, "chiptune 8_bit 8bit chip 16bit 16_bit nes gameboy"),
            (2, "retro arcade pixel platformer"),
        ),
        _band("chip lead", "chip arp", "chip pad", "chip bass", "chip"),
        "major",
        132,
        0.7,
        "closet",
    ),
    "jazz": Style(
        weights(
            (3, "jazz jazzy lofi lo_fi noir lounge swing hip_hop hiphop trip_hop"),
            (2, "chill detective smoky cafe bar blues bluesy bossa saxophone vibraphone coffee"),
            (1, "night city rain relaxed elevator casino smooth mellow"),
        ),
        _band("vibraphone, electric piano", "electric piano", "warm pad", "upright bass", "brushes"),
        "dorian",
        84,
        0.35,
        "chamber",
    ),
    "rock": Style(
        weights(
            (3, "rock metal punk grunge guitar_riff distorted distortion"),
            (2, "electric_guitar heavy band thrash riff hardcore"),
            (1, "aggressive racing arena wrestling"),
        ),
        _band("lead guitar", "power guitar", "organ", "electric bass", "rock"),
        "minor",
        140,
        0.85,
        "chamber",
    ),
    "desert": Style(
        weights(
            (3, "desert arabian arabic egyptian persian bazaar oasis middle_eastern"),
            (2, "sand dune pyramid caravan oud nomad sultan tomb"),
            (1, "temple ancient exotic"),
        ),
        _band("ney, oud", "oud", "drone strings", "upright bass", "hand drums"),
        "phrygian dominant",
        96,
        0.45,
    ),
    "asian": Style(
        weights(
            (3, "japanese japan chinese samurai ninja koto shamisen shakuhachi asian zen"),
            (2, "bamboo temple sakura shrine oriental"),
        ),
        _band("shakuhachi, koto", "koto", "strings", "upright bass", "hand drums"),
        "pentatonic",
        84,
        0.3,
    ),
    "winter": Style(
        weights(
            (3, "winter snow snowy ice icy frozen fairy magical christmas crystal enchanted"),
            (2, "magic sparkle celesta frost glacier music_box wonder wondrous lullaby starlight"),
            (1, "night dreamy delicate dream fantasy"),
        ),
        _band("celesta, flute", "harp, music box", "strings, choir", "contrabass", "sleigh"),
        "lydian",
        84,
        0.25,
    ),
    "piano": Style(
        weights(
            (3, "piano emotional sad melancholy melancholic sorrow romantic tender memorial"),
            (
                2,
                "lonely reflective nostalgic nostalgia intimate loss farewell grief mournful "
                "bittersweet credits",
            ),
            (1, "rain slow gentle memory"),
        ),
        _band("piano, cello", "piano", "strings", "contrabass", "none"),
        "minor",
        74,
        0.2,
    ),
    "playful": Style(
        weights(
            (3, "playful puzzle cozy cosy cute quirky whimsical comical funny farming"),
            (2, "happy cheerful fun kids cartoon silly goofy cooking gardening toy shop casual tutorial"),
            (1, "light sunny carefree mobile crafting bouncy"),
        ),
        _band(
            "clarinet, glockenspiel, whistle", "marimba, pizzicato", "warm pad", "pizzicato bass", "shaker"
        ),
        "major",
        108,
        0.5,
        "chamber",
    ),
    "tension": Style(
        weights(
            (3, "suspense stealth tense tension sneaking sneaky infiltration heist thriller"),
            (2, "spy danger alert investigation countdown ticking urgent pursuit"),
            (1, "dark mysterious mystery night chase"),
        ),
        _band("muted piano", "pizzicato, synth arp", "tremolo strings", "contrabass", "pulse"),
        "minor",
        104,
        0.45,
        "chamber",
    ),
    "sea": Style(
        weights(
            (3, "pirate sailor shanty sea_shanty accordion ship sailing"),
            (2, "sea harbor harbour ocean_adventure port island_adventure"),
            (1, "ocean voyage treasure"),
        ),
        _band("fiddle, accordion", "accordion, nylon guitar", "strings", "upright bass", "folk"),
        "mixolydian",
        112,
        0.55,
    ),
    "tropical": Style(
        weights(
            (3, "tropical island beach caribbean steel_drum ukulele reggae calypso"),
            (2, "jungle summer safari african tribal surf"),
            (1, "sunny palm paradise vacation"),
        ),
        _band("steel drum, flute", "marimba, nylon guitar", "warm pad", "electric bass", "hand drums"),
        "major",
        104,
        0.5,
        "chamber",
    ),
    "western": Style(
        weights(
            (3, "western cowboy frontier saloon outlaw wild_west"), (1, "canyon prairie desert_town duel")
        ),
        _band("whistle, twang guitar", "twang guitar", "strings", "electric bass", "folk"),
        "mixolydian",
        98,
        0.45,
    ),
}
"""A prompt with none of these words gets ``fallback`` below: honest, neutral underscore."""

FALLBACK_STYLE = Style(
    {},
    _band("bells, flute", "soft synth, harp", "strings, warm pad", "sub bass", "shaker"),
    "dorian",
    96,
    0.4,
)

INSTRUMENTS: dict[str, str] = {
    "nylon guitar": "nylon_guitar acoustic_guitar classical_guitar guitar lute mandolin ukulele",
    "power guitar": "electric_guitar distorted_guitar heavy_guitar guitar_riff",
    "harp": "harp lyre",
    "koto": "koto guzheng",
    "oud": "oud sitar shamisen banjo",
    "piano": "piano",
    "electric piano": "electric_piano rhodes keys wurlitzer",
    "music box": "music_box",
    "celesta": "celesta celeste",
    "glockenspiel": "glockenspiel xylophone",
    "bells": "bell chime tubular",
    "marimba": "marimba kalimba mbira mallet",
    "vibraphone": "vibraphone vibes",
    "steel drum": "steel_drum steelpan",
    "flute": "flute recorder woodwind pan_flute piccolo",
    "shakuhachi": "shakuhachi",
    "ney": "ney duduk",
    "ocarina": "ocarina",
    "whistle": "whistle whistling tin_whistle",
    "clarinet": "clarinet oboe bassoon saxophone sax",
    "violin": "solo_violin violin viola",
    "fiddle": "fiddle",
    "cello": "cello",
    "accordion": "accordion harmonica concertina hurdy_gurdy bagpipe",
    "brass": "brass horn trumpet trombone french_horn fanfare",
    "strings": "strings string_section orchestra string_quartet",
    "staccato strings": "ostinato staccato",
    "pizzicato": "pizzicato plucked",
    "choir": "choir voice vocal chant choral",
    "organ": "organ church_organ",
    "warm pad": "pad synth_pad drone",
    "analog pad": "analog analogue",
    "saw lead": "synth_lead lead_synth",
    "synth arp": "arpeggio arp arpeggiated sequencer",
    "chip lead": "pulse_wave square_wave",
    "synth bass": "synth_bass acid",
    "electric bass": "electric_bass bass_guitar slap_bass",
    "upright bass": "upright_bass double_bass bass",
    "sub bass": "sub_bass 808",
}
"""The words that name each instrument."""

KITS = {
    "taiko": weights((3, "taiko war_drum epic_drum timpani"), (1, "epic orchestral_percussion")),
    "rock": weights((3, "drum_kit rock_drum live_drum"), (1, "drum rock metal")),
    "electronic": weights((3, "drum_machine four_on_the_floor electronic_drum breakbeat"), (1, "808")),
    "brushes": weights((3, "brush brushed swing_drum")),
    "hand drums": weights((3, "hand_drum conga bongo djembe tabla darbuka tribal_drum"), (1, "tribal")),
    "folk": weights((3, "bodhran frame_drum tambourine clapping handclap")),
    "shaker": weights((3, "shaker maraca light_percussion soft_percussion")),
    "sleigh": weights((3, "sleigh_bell sleigh jingle")),
}
DRUM_WORDS = ("drum", "percussion", "beat", "rhythm", "percussive")

STINGERS = {
    "success": weights(
        (
            3,
            "victory success win triumph fanfare level_up levelup complete completed achievement "
            "reward congratulation",
        ),
        (2, "quest_complete victorious heroic celebration jingle unlock unlocked promotion"),
        (1, "happy bright positive triumphant"),
    ),
    "failure": weights(
        (3, "defeat failure fail failed game_over gameover death lose loss died dead"),
        (1, "sad negative falling dark somber sombre"),
    ),
    "discovery": weights(
        (3, "discovery discover secret reveal treasure wonder found magical"),
        (2, "magic enter entering area mystery mysterious save unlock sparkle"),
        (1, "new item chest"),
    ),
    "danger": weights(
        (3, "danger alert ambush boss warning threat jumpscare jump_scare spotted"),
        (2, "horror suspense scary tense sting shock ominous enemy"),
        (1, "dark evil intro encounter"),
    ),
}
STINGER_WORDS = ("stinger", "sting", "fanfare", "jingle", "flourish", "sting_short", "cue_short", "motif")
