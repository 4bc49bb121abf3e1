"""Every way to write a manifest wrongly has its own message: place, fault, remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from manifest_texts import HEAD, Complain

from manifests import load
from pipeline.errors import ManifestError

ASSET = "assets:\n- id: sfx/a\n  kind: sfx\n  prompt: a door\n  duration: 1s\n"
"""Stands on lines 3 to 7 of a manifest; a key written after it stands on line 8."""

ONE_KEY = [
    ("duratoin: 2s", "8: assets[0].duratoin: unknown key; did you mean duration?"),
    (
        "engine: my engine",
        "8: assets[0].engine: 'my engine' is not an engine; use letters, digits, '_', '-' and '.'",
    ),
    ("loop: yes", "8: assets[0].loop: 'yes' is neither true nor false; write true or false"),
    ("loop: True", "8: assets[0].loop: 'True' is neither true nor false; write true or false"),
    ("bpm: .inf", "8: assets[0].bpm: '.inf' is not a finite number; write beats a minute such as 92"),
    ("bpm: .NaN", "8: assets[0].bpm: '.NaN' is not a finite number; write beats a minute such as 92"),
    ("bpm: 1e2", "8: assets[0].bpm: '1e2' is not a tempo; write beats a minute such as 92"),
    ("bpm: 5", "8: assets[0].bpm: '5' is out of range; write a tempo from 20 to 400"),
    ("variations: 0", "8: assets[0].variations: '0' is out of range; write a whole number from 1 to 999"),
    (
        "variations: 2.5",
        "8: assets[0].variations: '2.5' is not a whole number; write a whole number such as 4",
    ),
    ("candidates: 65", "8: assets[0].candidates: '65' is out of range; write a whole number from 1 to 64"),
    (
        "seed: 9007199254740992",
        "8: assets[0].seed: '9007199254740992' is out of range; write a whole number from 0 to 9007199254740991",
    ),
    (
        "loudness: -16 dB",
        "8: assets[0].loudness: '-16 dB' is not a loudness; write -16 LUFS or -16",
    ),
    (
        "loudness: 3 LUFS",
        "8: assets[0].loudness: '3 LUFS' is out of range; write a loudness from -60 LUFS to 0 LUFS",
    ),
    ("true_peak: quiet", "8: assets[0].true_peak: 'quiet' is not a true peak; write -1 dBTP or -1"),
    (
        "sample_rate: 47 kHz",
        "8: assets[0].sample_rate: '47 kHz' is not a sample rate that players support; write one of "
        "8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000",
    ),
    ("channels: 6", "8: assets[0].channels: '6' is out of range; write a number of channels from 1 to 2"),
    ("channels: mono", "8: assets[0].channels: 'mono' is not a number of channels; write 1 or 2"),
    (
        "formats: wav",
        "8: assets[0].formats: is a single value, not a list; write [a, b] or one value a line, "
        "each after '- '",
    ),
    ("formats: [wave]", "8: assets[0].formats[0]: 'wave' is not a format; did you mean wav?"),
    ("formats: []", "8: assets[0].formats: is empty; write at least one value, or remove the line"),
    ("formats: [wav, wav]", "8: assets[0].formats: wav is listed twice; remove one"),
    (
        "bit_depth: 32",
        "8: assets[0].bit_depth: '32' is not a bit depth; write one of 16, 24, float",
    ),
    ("license: free", "8: assets[0].license: 'free' is not a licence policy; write one of any, commercial"),
    ("tags: [' ', \"\"]", "8: assets[0].tags[1]: is empty; write a short text"),
    (
        'tags: ["a\\u202eb"]',
        "8: assets[0].tags[0]: 'a\\u202eb' contains the invisible character '\\u202e'; remove it",
    ),
    ("tags:", "8: assets[0].tags: has no value; write one, or remove the line"),
    (
        "melody: ~",
        "8: assets[0].melody: has no value; write a path such as audio/theme.wav, or remove the line",
    ),
    ("style: {}", "8: assets[0].style.file: is missing; write file: and a path such as audio/theme.wav"),
    (
        "style: audio/none.wav",
        "8: assets[0].style.file: there is no file 'audio/none.wav'; "
        "check the path, which starts at this file's folder",
    ),
    ("decoder: mdb", "8: assets[0].decoder: 'mdb' is not a decoder; did you mean mbd?"),
    (
        "sampling: {top_p: 1.5}",
        "8: assets[0].sampling.top_p: '1.5' is out of range; write a number from 0 to 1",
    ),
    (
        'sampling: {"": 1}',
        "8: assets[0].sampling.'': unknown key; known keys: temperature, top_k, top_p, cfg",
    ),
    (
        "sampling: {heat: 1}",
        "8: assets[0].sampling.heat: unknown key; known keys: temperature, top_k, top_p, cfg",
    ),
    (
        "sampling: hot",
        "8: assets[0].sampling: is a single value, not a mapping; write key: value lines beneath it",
    ),
    ("fade: [1, 2]", "8: assets[0].fade: is a list, not a mapping; write key: value lines beneath it"),
    ("fade: 3 bars", "8: assets[0].fade: '3 bars' is not a duration; write a duration such as 20ms"),
    (
        "fade: 600ms",
        "8: assets[0].fade: fades of 1.2 s together are longer than the sound (1 s); "
        "shorten fade or lengthen duration",
    ),
    ("ucs: {}", "8: assets[0].ucs.category: is missing; write category: such as FOOTHmn"),
    (
        "ucs: {category: footsteps}",
        "8: assets[0].ucs.category: 'footsteps' is not a UCS CatID; "
        "write it as the UCS list does, such as FOOTHmn or UIClick",
    ),
    (
        "ucs: {category: FOOTHmn, name: a_b}",
        "8: assets[0].ucs.name: 'a_b' is not a UCS FXName; "
        "use spaces in place of '_', which separates the parts of a UCS file name",
    ),
    (
        "for_each: {x: [1]}",
        "8: assets[0].for_each.x: x is not used in the id; write {x} in the id, or remove x",
    ),
    (
        "for_each: {2x: [1]}",
        "8: assets[0].for_each.2x: for_each name '2x' cannot be a placeholder; use letters, digits and '_'",
    ),
    ("for_each: {x: []}", "8: assets[0].for_each.x: is empty; write at least one value, or remove the line"),
    (
        "loudness: -0.5\n  true_peak: -3",
        "8: assets[0].loudness: -0.5 LUFS cannot be reached below a true peak of -3 dBTP; "
        "lower loudness or raise true_peak",
    ),
    (
        "formats: [opus]\n  sample_rate: 44.1 kHz",
        "8: assets[0].formats: opus does not support 44100 Hz; "
        "set sample_rate to one of 8000, 16000, 24000, 48000, or remove opus",
    ),
    (
        "formats: [mp3]\n  sample_rate: 96000",
        "8: assets[0].formats: mp3 does not support 96000 Hz; "
        "set sample_rate to one of 8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, or remove mp3",
    ),
    (
        "formats: [flac]\n  bit_depth: float",
        "8: assets[0].formats: flac does not support float samples; set bit_depth to 24, or remove flac",
    ),
    (
        "fade: 1ms\n  loop: true",
        "8: assets[0].fade: a loop cannot fade: its end runs into its start; remove fade, or write loop: false",
    ),
    (
        "trim: true\n  loop: true",
        "8: assets[0].trim: a loop cannot be trimmed: its length is its duration; "
        "remove trim, or write loop: false",
    ),
    (
        "loop: true\n  bpm: 120",
        "7: assets[0].duration: 1 s is too short for a whole bar at 120 bpm; "
        "write 2s or more, or remove bpm for a loop in free time",
    ),
    (
        "melody: ../theme.wav",
        "8: assets[0].melody: path '../theme.wav' leads out of the manifest's folder; move the file into that folder",
    ),
    (
        "melody: /theme.wav",
        "8: assets[0].melody: path '/theme.wav' is absolute; "
        "write a path from this file's folder, such as audio/theme.wav",
    ),
    (
        "melody: C:/theme.wav",
        "8: assets[0].melody: path 'C:/theme.wav' contains ':'; "
        "write a path from this file's folder, such as audio/theme.wav",
    ),
    (
        "melody: audio\\theme.wav",
        "8: assets[0].melody: path 'audio\\\\theme.wav' contains a backslash; separate folders with /",
    ),
    (
        "melody: aux.wav",
        "8: assets[0].melody: path 'aux.wav' contains a name that Windows cannot open; rename that folder or file",
    ),
    (
        "continue_from: theme.wav",
        "8: assets[0].continue_from: there is no file 'theme.wav'; "
        "check the path, which starts at this file's folder",
    ),
    ("prompt: b", "8: duplicate key 'prompt', first on line 6; keep one of the two"),
    (
        "<<: {loop: true}",
        "8: merge keys (<<) are not part of the language; put what assets share into defaults or a profile",
    ),
    (
        "tags: !!python/tuple [a]",
        "8: tag '!!python/tuple' is not allowed; remove it; the key says how a value is read",
    ),
    ("tags: !mine [a]", "8: tag '!mine' is not allowed; remove it; the key says how a value is read"),
    (
        "tags: [*x]",
        "8: the alias has no anchor before it; define it with &name above, or write the value out",
    ),
    ("tags: &x [*x]", "8: alias *x contains itself; write it out"),
    ("? [a]\n  : b", "8: a key is not text; write key: value"),
]


@pytest.mark.parametrize(("key", "message"), ONE_KEY, ids=[key.replace("\n", " ") for key, _ in ONE_KEY])
def test_a_wrong_key_of_an_asset_is_one_clear_line(key: str, message: str, complaints: Complain) -> None:
    assert complaints(f"{ASSET}  {key}\n") == [f"m.yaml:{message}"]


ONE_ID = [
    ("sfx/con", "'con' is a device's name on Windows; choose another name"),
    ("Lpt1.x/a", "'Lpt1.x' is a device's name on Windows; choose another name"),
    ("sfx/door.", "id 'sfx/door.' has a part that ends with '.'; remove that dot: Windows drops it"),
    ("sfx//door", "id 'sfx//door' has an empty part; write one / between parts and none at the ends"),
    ("/sfx/door", "id '/sfx/door' has an empty part; write one / between parts and none at the ends"),
    ("sfx/../door", "id 'sfx/../door' has '..' as a part; write the whole name: an id is not a path that leads "
     "from folder to folder"),
    ("sfx/.door", "id 'sfx/.door' has a part that starts with '-' or '.'; start each part with a letter, "
     "a digit or '_'"),
    ("sfx/wet door", "id 'sfx/wet door' contains ' '; use only the letters a to z and A to Z, digits, "
     "'_', '-', '.' and '/'"),
    ("sfx/café", "id 'sfx/café' contains 'é'; use only the letters a to z and A to Z, digits, '_', '-', '.' and '/'"),
    ("sfx\\door", "id 'sfx\\\\door' contains '\\\\'; separate the parts with /"),
    ("sfx/door.wav", "'door.wav' ends like a file's name; write door; formats says which files are made"),
    ("a" * 121, f"id '{'a' * 57}...' has 121 characters; shorten it to 120 or fewer"),
    ("a" * 201, f"id '{'a' * 57}...' has 201 characters; shorten it to 120 or fewer"),
    ("sfx/{door}", "unknown placeholder '{door}'; add for_each: {door: [...]}, or write {{door}} for braces"),
    ("sfx/{", "a single '{' in 'sfx/{'; write {{ for a brace"),
    ("sfx/}", "a single '}' in 'sfx/}'; write }} for a brace"),
    ("sfx/{a b}", "unknown placeholder '{a b}'; write {{ and }} for braces"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), ONE_ID, ids=[text[:20] for text, _ in ONE_ID])
def test_an_id_that_some_studio_cannot_hold_is_refused(text: str, message: str, complaints: Complain) -> None:
    asset = f"assets:\n- kind: sfx\n  id: '{text}'\n  prompt: a door\n  duration: 1s\n"
    assert complaints(asset) == [f"m.yaml:5: assets[0].id: {message}"]


WHOLE_FILES = [
    (b"", "1: the file is empty; start with the line cuesmith: 1"),
    (b"# nothing\n", "1: the file is empty; start with the line cuesmith: 1"),
    (b"- a\n", "1: the file is not a mapping; start with the line cuesmith: 1"),
    (b"cuesmith: 1\nproject: caf\xe9\n", "2: the text is not UTF-8 from here on; save the file as UTF-8"),
    ("cuesmith: 1".encode("utf-16"), "1: the file is UTF-16; save it as UTF-8"),
    (b"cuesmith: 1\nproject: a\x00b\n", "2: character '\\x00' is not allowed; remove it"),
    (b"cuesmith: 1\n---\ncuesmith: 1\n", "2: a second document begins; keep one document a file; remove ---"),
    (b"cuesmith: 2\nnew: x\n", "1: cuesmith: schema version 2 is newer than this release reads; "
     "write cuesmith: 1, or upgrade Cuesmith"),
    (b"cuesmith: 1\nassets:\n- id: {s}/a\n", "3: unexpected '/a' after the end of a value; "
     "quote the whole value, or close a quote left open above"),
    (b"cuesmith: 1\nproject: 'it's'\nassets: []\n", "2: unexpected \"s'\" after the end of a value; "
     "quote the whole value, or close a quote left open above"),
    ("cuesmith: 1\n# é 音\nproject: \"a\" b\n".encode(), "3: unexpected 'b' after the end of a value; "
     "quote the whole value, or close a quote left open above"),
    (b"cuesmith: 1\nassets:\n- tags: [a,\n    b\n    c: d e: f]\n", "5: a ',' or the end of the bracket "
     "opened on line 3 is missing before ':'; write it, or quote a text that contains ',', ': ' or brackets"),
    (b"cuesmith: 1\nassets:\n- tags: [a, b\n  bpm: 3\n", "4: a ',' or the end of the bracket "
     "opened on line 3 is missing before ':'; write it, or quote a text that contains ',', ': ' or brackets"),
    (b"cuesmith: 1\nassets: [a}\n", "2: a ',' or the end of the bracket opened on line 2 is missing before '}'; "
     "write it, or quote a text that contains ',', ': ' or brackets"),
    (b"cuesmith: 1\nassets: [a,, b]\n", "2: there is no value before ','; write one, or quote a text"),
    (b"cuesmith: 1\nassets: [a,\n", "3: the file ends within brackets; close them"),
    (b"cuesmith: 1\nproject: *bold* step\n", "2: a value cannot start with this character; quote it"),
    (b"cuesmith: 1\nproject: > 50 dB\n", "2: there is text after | or >; begin it on the next line, or quote it"),
    (b"cuesmith: 1\nproject: - a\n", "2: unexpected '- '; begin a list on the next line; "
     "quote a text that starts with '- '"),
    (b"cuesmith: 1\nproject: ? a\n", "2: unexpected '? '; quote it"),
    (b'cuesmith: 1\nproject: "\\u12"\n', "2: an escape in this quoted text is not valid; "
     "write \\\\ for a backslash, or use '...'"),
    (b"cuesmith: 1\nproject: 'a\n---\nb'\n", "2: the quote that opens here is never closed; close it"),
    (b"cuesmith: 1\nassets:\n-\tid: a\n", "3: there is a tab in the indentation; indent with spaces"),
    (b"%YAML 1.2\ncuesmith: 1\n", "2: a line above ends the document; remove the line with % or ..."),
    (b"cuesmith: 1\nproject: [a\n", "2: the bracket that opens here is never closed; close it"),
    (b"cuesmith: 1\nproject: 'a\nb: c\n", "2: the quote that opens here is never closed; close it"),
    (b"cuesmith: 1\nproject: a: b\n", "2: unexpected ':'; quote a text that contains ': '"),
    (b"cuesmith: 1\nproject: @a\n", "2: a value cannot start with this character; quote it; indent with spaces"),
    (b"cuesmith: 1\n\tproject: a\n", "2: there is a tab in the indentation; indent with spaces"),
    (b"cuesmith: 1\n project: a\n", "2: unexpected ':'; indent a key as those above; "
     "quote a text that contains ': '"),
    (b"cuesmith: 1\nassets:\n  - a\n b: c\n", "4: the indentation of this line does not fit the lines above; "
     "indent it as they are"),
    (b'cuesmith: 1\nproject: "C:\\game"\n', "2: an escape in this quoted text is not valid; "
     "write \\\\ for a backslash, or use '...'"),
    (b"%YAML 3.1\n---\ncuesmith: 1\n", "1: this YAML version is not known; remove the %YAML line"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "message"), WHOLE_FILES)
def test_a_file_that_is_no_manifest_says_why(data: bytes, message: str, folder: Path) -> None:
    (folder / "m.yaml").write_bytes(data)
    with pytest.raises(ManifestError) as caught:
        load(Path("m.yaml"))
    assert str(caught.value) == f"m.yaml:{message}"


HEADS = [
    ("project: game\nassets: []", "1: cuesmith: is missing; write cuesmith: 1"),
    ("cuesmith: one\nproject: game\nassets: []", "1: cuesmith: 'one' is not a schema version; write cuesmith: 1"),
    ("cuesmith: 1\nassets: []", "1: project: is missing; write project: and the project's name"),
    ("cuesmith: 1\nproject:\nassets: []", "2: project: has no value; write project: and the project's name"),
    ("cuesmith: 1\nproject: a/b\nassets: []", "2: project: 'a/b' contains '/'; write one name, such as emberfall"),
    ("cuesmith: 1\nproject: a b\nassets: []", "2: project: name 'a b' contains ' '; use only the letters a to z "
     "and A to Z, digits, '_', '-', '.' and '/'"),
    ("cuesmith: 1\nproject: a", "1: assets: is missing; write assets: and a list of assets, or assets: [] for none"),
    ("cuesmith: 1\nproject: a\nassets:", "3: assets: has no value; write assets: and a list of assets, "
     "or assets: [] for none"),
    ("cuesmith: 1\nproject: a\nassets: {}", "3: assets: is a mapping, not a list; write [a, b] or one value "
     "a line, each after '- '"),
    ("cuesmith: 1\nproject: a\nassets: [b]", "3: assets[0]: is not a mapping; write key: value lines, "
     "such as id: sfx/door/wood"),
    ("cuesmith: 1\nproject: a\nassets: []\ninclude: ['']", "4: include[0]: is empty; write a path such as "
     "shared/defaults.yaml"),
    ("cuesmith: 1\nproject: a\nasets: []\nassets: []", "3: asets: unknown key; did you mean assets?"),
    ("cuesmith: 1\nproject: a\nassets: []\nseed: -1", "4: seed: '-1' is out of range; write a whole number "
     "from 0 to 9007199254740991"),
    ("cuesmith: 1\nproject: a\nassets: []\ncredentials: none", "4: credentials: unknown key here; "
     "write it below music or sfx in defaults, or in one asset"),
    ("cuesmith: 1\nproject: a\nassets: []\ndefaults: {loudness: -16 LUFS}", "4: defaults.loudness: unknown key here; "
     "write it below music or sfx in defaults, or in one asset"),
    ("cuesmith: 1\nproject: a\nassets: []\nengine: sketch", "4: engine: unknown key here; "
     "write it in defaults, for all or below music or sfx"),
    ("cuesmith: 1\nproject: a\nassets: []\ndefaults: {sfx: {noise: 1}}", "4: defaults.sfx.noise: unknown key here; "
     "write it below quality"),
    ("cuesmith: 1\nproject: a\nassets: []\ndefaults: {musik: {}}", "4: defaults.musik: unknown key; "
     "did you mean music?"),
    ("cuesmith: 1\nproject: a\nassets: []\ndefaults: {sfx: {lock: true}}", "4: defaults.sfx.lock: unknown key; "
     "only an asset can have it; move it to the asset"),
    ("cuesmith: 1\nproject: a\nassets: []\nprofiles: {p: {sfx: {bmp: 90}}}", "4: profiles.p.sfx.bmp: unknown key; "
     "did you mean bpm?"),
    ("cuesmith: 1\nproject: a\nassets: []\nprofiles: [p]", "4: profiles: is a list, not a mapping; "
     "write key: value lines beneath it"),
    ("cuesmith: 1\nproject: a\nassets: []\nprofiles: {p: {engine: my engine}}", "4: profiles.p.engine: "
     "'my engine' is not an engine; use letters, digits, '_', '-' and '.'"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), HEADS)
def test_a_wrong_head_is_one_clear_line(text: str, message: str, complaints: Complain) -> None:
    assert complaints(text, head=False) == [f"m.yaml:{message}"]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("id", "4: assets[0].id: is missing; write id: such as sfx/door/wood"),
        ("kind", "4: assets[0].kind: is missing; write kind: music or kind: sfx"),
        ("prompt", "4: assets[0].prompt: is missing; write prompt: and the sound in words"),
        (
            "duration",
            "4: assets[0].duration: is missing; write one such as duration: 2s, here or in defaults",
        ),
    ],
)
def test_a_missing_key_is_named_at_its_asset(key: str, message: str, complaints: Complain) -> None:
    lines = [("id", "sfx/a"), ("kind", "sfx"), ("prompt", "a door"), ("duration", "1s")]
    written = "\n  ".join(f"{name}: {value}" for name, value in lines if name != key)
    assert complaints(f"assets:\n- {written}\n") == [f"m.yaml:{message}"]


def test_a_prompt_longer_than_models_read_is_refused(complaints: Complain) -> None:
    text = f"assets:\n- {{id: a, kind: sfx, duration: 1, prompt: {'x' * 2001}}}\n"
    assert complaints(text) == [
        f"m.yaml:4: assets[0].prompt: '{'x' * 57}...' has 2001 characters; shorten it to 2000 or fewer"
    ]


def _two_ids(first: str, second: str) -> str:
    """Two assets with these ids, as YAML."""
    return "assets:\n" + "".join(
        f"- {{id: {text}, kind: sfx, prompt: a, duration: 1}}\n" for text in (first, second)
    )


@pytest.mark.parametrize(
    ("first", "message"),
    [
        (
            "sfx/Door",
            "id 'sfx/door' differs from 'sfx/Door' of assets[0] on line 4 only in letter case or Unicode form; "
            "some file systems treat them as the same; give each asset its own id",
        ),
        ("sfx/door", "id 'sfx/door' is used by assets[0] on line 4; give each asset its own id"),
    ],
)
def test_one_id_twice_is_refused_with_both_places(first: str, message: str, complaints: Complain) -> None:
    assert complaints(_two_ids(first, "sfx/door")) == [f"m.yaml:5: assets[1].id: {message}"]


def test_ids_equal_but_for_unicode_form_are_refused_with_both_places(complaints: Complain) -> None:
    text = _two_ids(r'"caf\u00e9"', r'"cafe\u0301"')
    assert (
        "m.yaml:5: assets[1].id: id 'cafe\u0301' differs from 'caf\u00e9' of assets[0] on line 4 only in letter case "
        "or Unicode form; some file systems treat them as the same; give each asset its own id"
    ) in complaints(text)


def test_an_unknown_profile_names_those_that_exist(complaints: Complain) -> None:
    text = "assets: []\nprofiles: {nightly: {}, prototype: {}}\n"
    assert complaints(text, profile="nihgtly") == [
        "m.yaml:4: profiles: there is no profile 'nihgtly'; choose one of: nightly, prototype"
    ]


def test_a_profile_where_none_is_defined_says_so(complaints: Complain) -> None:
    assert complaints("assets: []\n", profile="nightly") == [
        "m.yaml:1: profiles: there is no profile 'nightly'; define it under profiles, or leave it out"
    ]


@pytest.mark.parametrize(
    ("name", "what"), [("none.yaml", "there is no such file"), (".", "it is not a file")]
)
def test_a_path_without_a_manifest_says_so(name: str, what: str, folder: Path) -> None:
    with pytest.raises(ManifestError) as caught:
        load(Path(name))
    assert str(caught.value) == f"{name}:1: {what}; check the path"


def test_all_problems_of_a_file_come_at_once_in_its_order(complaints: Complain) -> None:
    text = """\
        seeds: 3
        defaults:
          sfx: {loudness: loud}
        assets:
        - id: sfx/a b
          kind: sfz
          prompt: a door
          duration: 1s
        - id: sfx/ok
          kind: sfx
          prompt: "{what}"
          durration: 1s
          loop: on
        - id: SFX/OK
          kind: music
          prompt: a song
        """
    assert complaints(text) == [
        "m.yaml:3: seeds: unknown key; did you mean seed?",
        "m.yaml:5: defaults.sfx.loudness: 'loud' is not a loudness; write -16 LUFS or -16",
        "m.yaml:7: assets[0].id: id 'sfx/a b' contains ' '; use only the letters a to z and A to Z, digits, "
        "'_', '-', '.' and '/'",
        "m.yaml:8: assets[0].kind: 'sfz' is not a kind; did you mean sfx?",
        "m.yaml:13: assets[1].prompt: unknown placeholder '{what}'; add for_each: {what: [...]}, "
        "or write {{what}} for braces",
        "m.yaml:14: assets[1].durration: unknown key; did you mean duration?",
        "m.yaml:15: assets[1].loop: 'on' is neither true nor false; write true or false",
        "m.yaml:16: assets[2].duration: is missing; write one such as duration: 2s, here or in defaults",
        "m.yaml:16: assets[2].id: id 'SFX/OK' differs from 'sfx/ok' of assets[1] on line 11 only in letter case "
        "or Unicode form; some file systems treat them as the same; give each asset its own id",
    ]


def test_a_problem_in_defaults_is_not_repeated_for_each_asset(complaints: Complain) -> None:
    text = f"defaults: {{sfx: {{duration: long}}}}\n{ASSET.replace('  duration: 1s', '')}"
    assert complaints(text) == [
        "m.yaml:3: defaults.sfx.duration: 'long' is not a duration; write 40s, 1.5 s, 600ms, 2min or 1:30"
    ]


def test_a_byte_order_mark_is_no_mistake(folder: Path) -> None:
    (folder / "m.yaml").write_bytes(b"\xef\xbb\xbf" + (HEAD + ASSET).encode())
    assert [asset.id for asset in load(Path("m.yaml")).assets] == ["sfx/a"]
