"""The words that sound-effect prompts are read by: families, materials and adjectives, as plain tables."""

from __future__ import annotations

from pipeline.generators.sketch.text import weight_tables

FAMILIES = weight_tables("""
footstep   5 footstep footfall
           3 step stomp
           2 walk boots tread shoe landing
           1 foot
impact     3 impact hit smash crash clang clank thud bonk slam_down bash collide collision knock clash
           2 punch kick drop fall break shatter crack strike slap land thump block parry
           2 body stab chop mine
           1 heavy sword shield hammer pickaxe axe arrow crate barrel rock debris bounce
whoosh     4 whoosh swoosh swish
           3 swing slash dash dodge roll throw flyby fly_by pass_by passby
           2 jump leap wing flap swipe whip lunge cape arrow_fly
           1 sword air fast blade
explosion  5 explosion explode detonation
           4 blast boom grenade bomb kaboom cannon mortar
           1 huge debris fireball rocket
gunshot    5 gunshot gun rifle pistol shotgun revolver sniper musket
           3 firearm shot machine_gun bullet
           1 shoot fire
laser      5 laser blaster raygun
           4 phaser plasma railgun ray_gun pew
           2 beam shoot turret
           1 sci_fi weapon charge
click      4 click button tap toggle
           3 tick switch_ui select press typing keyboard key_press scroll
           1 ui menu interface checkbox
hover      4 hover focus mouseover rollover
           2 highlight navigate cursor move_cursor
           1 ui menu interface
confirm    4 confirm confirmation accept purchase success correct
           3 upgrade level_up levelup equip complete saved unlock ok apply
           1 ui menu positive interface buy
error      4 error deny invalid wrong reject
           3 cancel fail failure unavailable negative incorrect buzzer
           2 back cannot
           1 ui menu interface
notify     4 notification notify popup pop_up message quest_update
           3 alert_ui ping reminder tooltip achievement quest
           2 open_menu chime ding
           1 ui menu interface
coin       5 coin
           4 gold money currency cash
           3 gem pickup pick_up collect loot treasure collectible ring_pickup
           1 item jingle
magic      4 magic spell enchant enchantment arcane wizard mage
           3 heal buff curse teleport portal summon power_up powerup shield_spell cast aura rune mana
           2 sparkle shimmer mystical holy fairy crystal frost_spell fireball energy
           1 fantasy ice lightning
door       5 door gate drawbridge portcullis
           4 creak hinge hatch trapdoor
           3 chest_open chest drawer lid airlock lever unlock_door
           1 open close lock latch wooden slam
creature   5 creature monster roar growl
           4 beast dragon zombie goblin wolf snarl hiss screech shriek howl squeak groan grunt bark rat bear
           4 orc troll demon dinosaur
           3 snake slime bat animal alien_creature moan wail banshee meow laugh undead ghoul skeleton
           3 boss_roar spider lion cat dog horse pig insect_creature hurt pain
           1 attack death enemy voice idle ghost
engine     5 engine motor
           4 car truck vehicle motorcycle spaceship_engine helicopter propeller generator turbine jet
           4 tractor tank thruster
           3 machine machinery idle_engine rev drone_motor train boat hover_bike airship starship steam
           1 idle mechanical
electric   5 electric electricity spark electrical
           4 zap buzz hum transformer tesla static short_circuit arcing
           2 lightning_arc power shock
wind       5 wind gust breeze
           4 howling_wind blizzard draft gale
           1 howl snowstorm storm mountain
rain       5 rain drizzle downpour rainfall
           3 raindrop shower
           2 storm monsoon
thunder    5 thunder thunderclap thunderstorm
           3 lightning_strike lightning
           1 storm
fire       5 fire campfire bonfire fireplace
           4 flame torch burning blaze hearth brazier ember lava
           2 crackle candle
stream     4 stream river creek brook waterfall fountain
           3 water flowing babbling ocean sea wave surf shore lake
           1 current beach
splash     5 splash
           3 dive plunge water_impact swim
           1 water into
drip       5 drip droplet
           3 drop_water water_drop leak
           1 cave
bubbles    5 bubble potion
           4 boil cauldron gulp drink underwater brew
           1 liquid
rustle     5 rustle cloth paper fabric
           4 page scroll_open book map leather backpack bag inventory armor_equip page_turn
           2 bush leaves equip foliage
jingle     5 jingle chain keys
           4 rattle keyring chainmail shackle armor armour
           1 metal
scrape     5 scrape unsheathe sheathe
           4 draw_sword sword_draw grind drag scratch sharpen slide
heartbeat  6 heartbeat
           4 heart low_health pulse_heart
alarm      5 alarm siren klaxon
           4 warning beeping countdown_beep
           3 alert
bell       5 bell gong church_bell
           3 toll chime
robot      5 robot droid computer terminal
           3 data servo hologram scanner hack interface_scifi glitch beep_boop
ambience   5 ambience ambiance atmosphere soundscape ambient background
           3 forest_ambience night_ambience birds birdsong crickets
           2 insect frog jungle swamp
           1 forest night day cave dungeon city village meadow market tavern
room       5 room_tone roomtone
           3 room interior hvac ventilation
           2 quiet empty silence hall
""")

UI_FAMILIES = ("click", "hover", "confirm", "error", "notify", "coin")
UI_WORDS = ("ui", "menu", "interface", "hud", "inventory", "dialog")

BEDS = ("wind", "rain", "thunder", "fire", "stream", "drip", "bubbles", "engine", "electric", "room")
"""Families that can lie under an ambience."""

PLACES: dict[str, str] = {
    "forest": "forest wood woodland jungle grove trees meadow park garden field countryside",
    "night": "night nighttime midnight evening dusk camp",
    "swamp": "swamp marsh bog wetland frog",
    "cave": "cave cavern mine grotto underground sewer",
    "dungeon": "dungeon crypt catacomb prison tomb haunted horror castle ruins abyss",
    "coast": "ocean sea beach coast shore harbor harbour dock island",
    "mountain": "mountain peak tundra desert dune canyon snow arctic glacier cliff",
    "city": "city street traffic urban town market village square plaza",
    "machine": "factory industrial machine lab laboratory reactor server facility engine_room",
    "space": "space spaceship starship sci_fi station void alien futuristic cockpit",
    "indoors": "tavern inn room house shop library interior hall office",
    "underwater": "underwater submarine deep_sea",
}

MATERIALS = weight_tables("""
gravel   4 gravel pebble
         1 path road
wood     4 wood wooden plank floorboard timber
         2 crate barrel log bridge tavern oak
snow     4 snow
         1 winter frost
ice      4 ice icy frozen
         1 glacier frost
stone    4 stone rock concrete cobblestone marble
         2 dungeon brick boulder pavement asphalt street castle cave
tile     4 tile ceramic porcelain
         2 pottery vase pot linoleum bathroom
grass    4 grass
         2 meadow field lawn moss
leaves   4 leaves leaf foliage
         2 forest_floor twig bush autumn
metal    4 metal metallic steel iron
         2 sword shield armor armour grate anvil pipe bronze brass chain blade robot catwalk vault
water    4 water puddle shallow
         2 wet splash rain stream
mud      4 mud muddy
         2 swamp bog slime sludge gore
sand     4 sand
         2 desert beach dune
dirt     4 dirt earth soil
         1 ground trail dust
glass    4 glass
         2 window bottle crystal mirror shatter potion
flesh    4 flesh punch body meat
         2 stab slap fist hit_body bone blood kick
cloth    4 cloth carpet rug fabric
         2 curtain soft pillow leather
plastic  4 plastic rubber
         1 toy
""")

SIZES = {
    -1.0: "tiny micro",
    -0.7: "small little mini rat mouse bird fairy bat",
    -0.3: "light goblin short cat",
    0.5: "big large heavy boots ogre bear bulky",
    0.8: "huge giant massive dragon troll colossal deep",
    1.0: "gigantic enormous titan titanic colossus",
}
FORCES = {
    -0.8: "soft gentle faint subtle quiet delicate barely",
    -0.4: "light slow careful sneaking calm tiny",
    0.4: "strong hard fast sharp loud",
    0.8: "heavy powerful violent aggressive intense epic brutal furious huge massive",
}
BRIGHTNESSES = {
    -0.8: "dark muffled deep low bass dull underwater",
    -0.4: "warm soft distant mellow",
    0.4: "bright crisp clear sharp clean",
    0.8: "high shrill piercing glassy tinny sparkling",
}
SPEEDS = {-0.7: "slow slowly long sluggish lazy", 0.7: "fast quick quickly rapid short snappy swift"}
DISTANCES = {0.0: "close close_up near", 0.6: "distant far background", 0.9: "very_distant far_away faraway"}

SPACES: dict[str, str] = {
    "dry": "dry anechoic",
    "room": "room indoor interior tavern house",
    "chamber": "chamber corridor dungeon bathroom tunnel",
    "hall": "hall reverb reverberant large_room arena warehouse echo",
    "cathedral": "cathedral church temple vast",
    "cave": "cave cavern mine underground crypt sewer",
    "outdoor": "outdoor canyon mountain valley open battlefield",
}

MANNERS: dict[str, str] = {
    "retro": "retro 8_bit 8bit chiptune arcade pixel 16_bit",
    "sci-fi": "sci_fi scifi futuristic digital cyber cyberpunk synthetic electronic spaceship robot "
    "laser neon hologram",
    "fantasy": "fantasy medieval magical wooden parchment rune tavern",
}
