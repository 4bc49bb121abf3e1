"""The words that music prompts are read by: moods, tempi, styles and instruments, as plain tables."""

from __future__ import annotations

import re
from typing import NamedTuple

from pipeline.generators.sketch.text import weight_tables

MODES = weight_tables("""
major              3 major happy joyful cheerful merry uplifting triumphant victorious
                   2 bright sunny playful hopeful heroic cozy cosy warm carefree fun festive optimistic
                   2 victory glad
                   1 light village peaceful home town shop menu romantic tutorial celebration
lydian             3 lydian wonder wondrous magical dreamy enchanted
                   2 fairy ethereal floating awe celestial heavenly shimmering discovery sparkle flying
                   1 magic crystal sky starlight space winter ice snow
mixolydian         3 mixolydian celtic irish jig tavern
                   2 folk pirate western adventure adventurous travel journey sailor bardic
                   1 medieval rock exploration explore quest road
dorian             3 dorian noir
                   2 mysterious mystery mystic curious bittersweet funky lofi lo_fi woodland ancient
                   2 sneaky smoky
                   1 jazz medieval forest desert cyberpunk stealth ruins blues bluesy detective autumn
minor              3 minor sad sorrow sorrowful tragic melancholy melancholic mournful grief
                   2 dark lonely battle boss epic fight combat emotional somber sombre tense brooding defeat
                   2 loss funeral
                   1 dramatic rain night serious synthwave cyberpunk war chase storm action danger suspense
phrygian           3 phrygian menacing ominous evil sinister
                   2 horror dread nightmare terror demonic hell infernal dungeon scary creepy eerie
                   2 threatening cursed
                   1 metal danger villain haunted underground suspense cave catacomb crypt
harmonic minor     3 harmonic_minor gothic vampire
                   2 villain baroque dramatic haunted waltz_macabre spooky halloween witch
                   1 boss dark castle tango organ
phrygian dominant  3 arabian arabic egyptian persian oriental phrygian_dominant
                   2 desert bazaar sand pyramid oasis dune middle_eastern snake oud
pentatonic         3 pentatonic chinese zen
                   2 asian bamboo african tribal island tropical garden koto oriental_garden
                   1 meditation meditative jungle temple
japanese           3 japanese japan samurai ninja shogun shamisen shakuhachi
                   2 koto sakura geisha
""")

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

WALTZ_WORDS = ("waltz", "lullaby", "three_four", "minuet", "carousel")


class Style(NamedTuple):
    """A genre: its mode, tempo, energy and room, and who plays each part; a prompt picks one of several."""

    mode: str
    tempo: float
    energy: float
    space: str
    lead: tuple[str, ...]
    comp: tuple[str, ...]
    pad: tuple[str, ...]
    bass: str
    kit: str


def _read_styles(table: str) -> dict[str, Style]:
    styles = {}
    for line in table.strip().splitlines():
        name, mode, tempo, energy, space, *players, bass, kit = line.split("; ")
        lead, comp, pad = (tuple(names.split(", ")) for names in players)
        styles[name] = Style(mode, float(tempo), float(energy), space, lead, comp, pad, bass, kit)
    return styles


STYLES = _read_styles("""
folk; dorian; 98; 0.4; hall; flute, fiddle, ocarina; nylon guitar, harp; strings; upright bass; folk
orchestral; minor; 128; 0.8; hall; brass, violin; staccato strings; strings, choir; contrabass; taiko
ambient; lydian; 70; 0.12; cathedral; bells, electric piano; soft synth; warm pad, choir; sub bass; none
horror; phrygian; 66; 0.25; cathedral; music box, violin; bells; dark drone, tremolo strings; contrabass; dread
electronic; minor; 118; 0.7; plate; saw lead; synth arp; analog pad; synth bass; electronic
chiptune; major; 132; 0.7; closet; chip lead; chip arp; chip pad; chip bass; chip
jazz; dorian; 84; 0.35; chamber; vibraphone, electric piano; electric piano; warm pad; upright bass; brushes
rock; minor; 140; 0.85; chamber; lead guitar; power guitar; organ; electric bass; rock
desert; phrygian dominant; 96; 0.45; hall; ney, oud; oud; drone strings; upright bass; hand drums
asian; pentatonic; 84; 0.3; hall; shakuhachi, koto; koto; strings; upright bass; hand drums
winter; lydian; 84; 0.25; hall; celesta, flute; harp, music box; strings, choir; contrabass; sleigh
piano; minor; 74; 0.2; hall; piano, cello; piano; strings; contrabass; none
playful; major; 108; 0.5; chamber; clarinet, glockenspiel, whistle; marimba, pizzicato; warm pad; pizzicato bass; shaker
tension; minor; 104; 0.45; chamber; muted piano; pizzicato, synth arp; tremolo strings; contrabass; pulse
sea; mixolydian; 112; 0.55; hall; fiddle, accordion; accordion, nylon guitar; strings; upright bass; folk
tropical; major; 104; 0.5; chamber; steel drum, flute; marimba, nylon guitar; warm pad; electric bass; hand drums
western; mixolydian; 98; 0.45; hall; whistle, twang guitar; twang guitar; strings; electric bass; folk
fallback; dorian; 96; 0.4; hall; bells, flute; soft synth, harp; strings, warm pad; sub bass; shaker
""")
"""A prompt without a word of any style gets ``fallback``: honest, neutral underscore."""

STYLE_WORDS = weight_tables("""
folk         3 folk woodland medieval tavern village celtic lute bard bardic irish jig
             2 forest town countryside rustic farm minstrel inn hearth
             1 meadow nature explore exploration travel market elf elven green
orchestral   3 orchestral orchestra symphonic cinematic epic heroic boss
             2 battle war fantasy kingdom castle knight dragon royal triumphant combat victory fanfare
             1 adventure dramatic quest hero fight army siege theme march
ambient      3 ambient drone atmospheric atmosphere soundscape space cosmic nebula
             2 meditative floating ethereal underwater ocean deep starfield galaxy planet serene vast void
             1 calm dreamy sci_fi alien sky peaceful airy quiet
horror       3 horror creepy eerie scary haunted nightmare dread terror
             2 dungeon crypt catacomb sinister ominous ghost cursed asylum zombie undead cave abyss
             1 dark tense suspense underground graveyard evil unsettling fear
electronic   3 electronic synthwave cyberpunk techno edm synth electro house trance
             2 neon futuristic hacker dance club arcade_racer retrowave dubstep sci_fi
             1 city robot racing digital chase laser cyber drive
chiptune     4 chiptune 8_bit 8bit chip 16bit 16_bit nes gameboy
             2 retro arcade pixel platformer
jazz         3 jazz lofi lo_fi noir lounge swing hip_hop hiphop trip_hop
             2 chill detective smoky cafe bar blues bluesy bossa saxophone vibraphone coffee
             1 night city rain relaxed elevator casino smooth mellow
rock         3 rock metal punk grunge guitar_riff distorted distortion
             2 electric_guitar heavy band thrash riff hardcore
             1 aggressive racing arena wrestling
desert       3 desert arabian arabic egyptian persian bazaar oasis middle_eastern
             2 sand dune pyramid caravan oud nomad sultan tomb
             1 temple ancient exotic
asian        3 japanese japan chinese samurai ninja koto shamisen shakuhachi asian zen
             2 bamboo temple sakura shrine oriental
winter       3 winter snow ice icy frozen fairy magical christmas crystal enchanted
             2 magic sparkle celesta frost glacier music_box wonder wondrous lullaby starlight
             1 night dreamy delicate fantasy
piano        3 piano emotional sad melancholy melancholic sorrow romantic tender memorial
             2 lonely reflective nostalgic nostalgia intimate loss farewell grief mournful bittersweet credits
             1 rain slow gentle memory
playful      3 playful puzzle cozy cosy cute quirky whimsical comical funny farming
             2 happy cheerful fun kids cartoon silly goofy cooking gardening toy shop casual tutorial
             1 light sunny carefree mobile crafting bouncy
tension      3 suspense stealth tense tension sneaking infiltration heist thriller
             2 spy danger alert investigation countdown ticking urgent pursuit
             1 dark mysterious mystery night chase
sea          3 pirate sailor shanty sea_shanty accordion ship sailing
             2 sea harbor harbour ocean_adventure port island_adventure
             1 ocean voyage treasure
tropical     3 tropical island beach caribbean steel_drum ukulele reggae calypso
             2 jungle summer safari african tribal surf
             1 sunny palm paradise vacation
western      3 western cowboy frontier saloon outlaw wild_west
             1 canyon prairie desert_town duel
""")

_INSTRUMENTS = """
nylon guitar      comp  nylon_guitar acoustic_guitar classical_guitar guitar lute mandolin ukulele
power guitar      comp  electric_guitar distorted_guitar heavy_guitar guitar_riff
harp              comp  harp lyre
koto              any   koto guzheng
oud               any   oud sitar shamisen banjo
piano             any   piano
electric piano    any   electric_piano rhodes keys wurlitzer
music box         any   music_box
celesta           any   celesta celeste
glockenspiel      any   glockenspiel xylophone
bells             any   bell chime tubular
marimba           any   marimba kalimba mbira mallet
vibraphone        any   vibraphone vibes
steel drum        any   steel_drum steelpan
flute             lead  flute recorder woodwind pan_flute piccolo
shakuhachi        lead  shakuhachi
ney               lead  ney duduk
ocarina           lead  ocarina
whistle           lead  whistle whistling tin_whistle
clarinet          lead  clarinet oboe bassoon saxophone sax
violin            lead  solo_violin violin viola
fiddle            lead  fiddle
cello             lead  cello
accordion         any   accordion harmonica concertina hurdy_gurdy bagpipe
brass             lead  brass horn trumpet trombone french_horn fanfare
strings           pad   strings string_section orchestra string_quartet
staccato strings  comp  ostinato staccato
pizzicato         comp  pizzicato plucked
choir             pad   choir voice vocal chant choral
organ             pad   organ church_organ
warm pad          pad   pad synth_pad drone
analog pad        pad   analog analogue
saw lead          lead  synth_lead lead_synth
synth arp         comp  arpeggio arp arpeggiated sequencer
chip lead         lead  pulse_wave square_wave
synth bass        bass  synth_bass acid
electric bass     bass  electric_bass bass_guitar slap_bass
upright bass      bass  upright_bass double_bass bass
sub bass          bass  sub_bass 808
"""
"""Each instrument, the part that it plays if it is named (``any`` carries a tune or accompanies one), and its words."""
_ROWS = [re.split(r"\s{2,}", row) for row in _INSTRUMENTS.strip().splitlines()]
INSTRUMENTS = {name: words for name, _, words in _ROWS}
PARTS = {name: part for name, part, _ in _ROWS}

KITS = weight_tables("""
taiko       3 taiko war_drum epic_drum timpani
            1 epic orchestral_percussion
rock        3 drum_kit rock_drum live_drum
            1 drum rock metal
electronic  3 drum_machine electronic_drum breakbeat
            1 808
brushes     3 brush swing_drum
hand drums  3 hand_drum conga bongo djembe tabla darbuka tribal_drum
            1 tribal
folk        3 bodhran frame_drum tambourine clapping handclap
shaker      3 shaker maraca light_percussion soft_percussion
sleigh      3 sleigh_bell sleigh jingle
""")
DRUM_WORDS = ("drum", "percussion", "beat", "rhythm", "percussive")

STINGERS = weight_tables("""
success    3 victory success win triumph fanfare level_up levelup complete achievement reward
           3 congratulation
           2 quest_complete victorious heroic celebration jingle unlock promotion
           1 happy bright positive triumphant
failure    3 defeat failure fail game_over gameover death lose loss died dead
           1 sad negative falling dark somber sombre
discovery  3 discovery secret reveal treasure wonder found magical
           2 magic enter area mystery mysterious save unlock sparkle
           1 new item chest
danger     3 danger alert ambush boss warning threat jumpscare jump_scare spotted
           2 horror suspense scary tense sting shock ominous enemy
           1 dark evil intro encounter
""")
STINGER_WORDS = ("stinger", "sting", "fanfare", "jingle", "flourish", "sting_short", "cue_short", "motif")
