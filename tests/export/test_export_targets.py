"""What each target gets: run in the engine where a package has it, and elsewhere under its documented calls."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import types
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import yaml
from loopback import LoopbackServer
from packs import build_looped, export, files_of, read_pack
from quick import QuickProject
from toys import WITH_MUSIC

SUPPORT = Path(__file__).parents[1] / "support"
GODOT, NODE, MCS = shutil.which("godot3-server"), shutil.which("node"), shutil.which("mcs")


GODOT_PROJECT = 'config_version=4\n\n[application]\nconfig/name="pack"\n'
GODOT_SCRIPT = """extends SceneTree
func show(path):
    var stream = load("res://" + path)
    if stream is AudioStreamSample:
        var points = [stream.loop_mode, stream.loop_begin, stream.loop_end]
        print("WAV ", path, " ", stream.data.size(), " ", points[0], " ", points[1], " ", points[2],
            " ", stream.mix_rate, " ", stream.stereo, " ", stream.format)
    elif stream is AudioStreamOGGVorbis:
        print("OGG ", path, " ", stream.get_length(), " ", stream.loop, " ", stream.loop_offset)
    else:
        var names = []
        for inner in stream.streams:
            names.append(inner.resource_path)
        print("POOL ", path, " ", PoolStringArray(names).join(","), " ", stream.pick() != stream.pick())
func _init():
    var file = File.new()
    file.open("res://audio/pack.json", File.READ)
    for sound in parse_json(file.get_as_text())["sounds"]:
        for variation in sound["files"]:
            show("audio/" + variation["path"])
        if sound["files"].size() > 1:
            show("audio/" + sound["name"] + ".tres")
    quit()
"""


def godot(folder: Path, *words: str) -> list[list[str]]:
    env = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}
    command = [str(GODOT), "--path", str(folder), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=env)
    return [line.split() for line in (done.stdout + done.stderr).splitlines()]


@pytest.mark.slow
@pytest.mark.skipif(GODOT is None, reason="needs godot3-server")
@pytest.mark.parametrize("formats", ["wav", "ogg"])
def test_godot_3_imports_a_signed_pack_with_its_lengths_loops_and_pools(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, formats: str
) -> None:
    pytest.importorskip("c2pa")
    monkeypatch.setenv("CUESMITH_CONFIG", str(tmp_path / "config"))
    project = build_looped(
        tmp_path / "toys", WITH_MUSIC.replace("[wav]", f"[{formats}], credentials: development, trim: false")
    )
    game = tmp_path / "game"
    export(project, "godot3", game / "audio")
    pack = read_pack(game / "audio")
    for path, file in files_of(pack).items():
        assert file["signed"]
        assert (game / "audio" / f"{path}.c2pa").is_file() == (formats == "ogg")
    (game / "project.godot").write_text(GODOT_PROJECT)
    (game / "probe.gd").write_text(GODOT_SCRIPT)
    godot(game, "--editor", "--quit")
    found = {
        line[1]: line[2:]
        for line in godot(game, "-s", "probe.gd")
        if line[:1] in (["WAV"], ["OGG"], ["POOL"])
    }
    expected: dict[str, list[str]] = {}
    for path, file in files_of(pack).items():
        loop, rate = file["loop"], file["sample_rate_hz"]
        if formats == "ogg":
            length, looped, offset = found[f"audio/{path}"]
            assert round(float(length) * rate) == file["samples"]
            assert (looped == "True") == bool(loop)
            assert abs(float(offset) * rate - (loop["start"] if loop else 0)) < 1
            continue
        # 16 bit for each sample of each channel; Godot 3 takes the end from the chunk, where it is the last sample.
        points = [1, loop["start"], loop["end"] - 1] if loop else [0, 0, 0]
        facts = [2 * file["channels"] * file["samples"], *points, rate, file["channels"] == 2, 1]
        expected[f"audio/{path}"] = [str(fact) for fact in facts]
    pool = ",".join(f"res://audio/sfx/door_{number:02d}.{formats}" for number in (1, 2, 3))
    expected["audio/sfx/door.tres"] = [pool, "True"]
    assert {path: found[path] for path in expected} == expected


def sections(text: str) -> dict[str, dict[str, str]]:
    """The sections of a Godot text file with the values of each."""
    found: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        if line.startswith("["):
            found[line] = {}
        elif "=" in line:
            name, _, value = line.partition("=")
            found[list(found)[-1]][name.strip()] = value.strip()
    return found


def test_godot_4_gets_lossless_import_settings_with_loop_points_and_pools(
    toys: QuickProject, tmp_path: Path
) -> None:
    export(toys, "godot", tmp_path)
    pack, uids = read_pack(tmp_path), {}
    for path, file in files_of(pack).items():
        settings = sections((tmp_path / f"{path}.import").read_text())
        params, loop = settings["[params]"], file["loop"]
        assert (settings["[remap]"]["importer"], params["compress/mode"]) == ('"wav"', "0")
        assert (params["edit/normalize"], params["edit/trim"], params["force/mono"]) == ("false",) * 3
        begin, end = (loop["start"], loop["end"]) if loop else (0, -1)
        assert params["edit/loop_mode"] == ("2" if loop else "1")
        assert (params["edit/loop_begin"], params["edit/loop_end"]) == (str(begin), str(end))
        uids[path] = settings["[remap]"]["uid"]
    assert len(set(uids.values())) == len(uids)
    text = (tmp_path / "sfx" / "door.tres").read_text()
    assert text.startswith('[gd_resource type="AudioStreamRandomizer" load_steps=4 format=3 uid="uid://')
    for number in (1, 2, 3):
        resource = f'uid={uids[f"sfx/door_0{number}.wav"]} path="door_0{number}.wav" id="{number}"]'
        assert f'[ext_resource type="AudioStream" {resource}' in text
        assert f'stream_{number - 1}/stream = ExtResource("{number}")' in text
    assert sections(text)["[resource]"]["streams_count"] == "3"
    assert not (tmp_path / "sfx" / "step.tres").exists()


def test_godot_4_gets_tempo_and_beats_of_ogg_loops(tmp_path: Path) -> None:
    project = build_looped(tmp_path / "toys", WITH_MUSIC.replace("[wav]", "[ogg]"))
    export(project, "godot", tmp_path / "game")
    files = files_of(read_pack(tmp_path / "game"))
    beat = files["music/beat_01.ogg"]
    beats = beat["samples"] / beat["sample_rate_hz"] * 2
    assert abs(beats - round(beats)) < 0.001
    settings = sections((tmp_path / "game" / "music" / "beat_01.ogg.import").read_text())
    assert settings["[remap]"]["importer"] == '"oggvorbisstr"'
    assert settings["[params]"] == {
        "loop": "true",
        "loop_offset": "0.000000",
        "bpm": "120",
        "beat_count": str(round(beats)),
        "bar_beats": "4",
    }
    theme = sections((tmp_path / "game" / "music" / "forest" / "theme_01.ogg.import").read_text())["[params]"]
    file = files["music/forest/theme_01.ogg"]
    assert float(theme["loop_offset"]) == pytest.approx(
        file["loop"]["start"] / file["sample_rate_hz"], abs=1e-6
    )
    assert (theme["bpm"], theme["beat_count"]) == ("0", "0")


def test_unity_gets_meta_files_that_keep_the_loudness(toys: QuickProject, tmp_path: Path) -> None:
    export(toys, "unity", tmp_path)
    guids = []
    for path, file in files_of(read_pack(tmp_path)).items():
        meta = yaml.safe_load((tmp_path / f"{path}.meta").read_text())
        importer = meta["AudioImporter"]
        assert (meta["fileFormatVersion"], meta["guid"]) == (2, file["id"])
        assert (importer["serializedVersion"], importer["normalize"], importer["forceToMono"]) == (8, 0, 0)
        assert importer["defaultSettings"]["preloadAudioData"] in (0, 1)
        assert "preloadAudioData" not in importer
        guids.append(meta["guid"])
    others = [path for path in tmp_path.rglob("*.meta") if not path.name.endswith(".wav.meta")]
    assert {path.name for path in others} == {
        "pack.json.meta",
        "CuesmithSound.cs.meta",
        "CuesmithImport.cs.meta",
    }
    guids += [yaml.safe_load(path.read_text())["guid"] for path in others]
    assert len(set(guids)) == len(guids)
    assert all(len(guid) == 32 for guid in guids)


@pytest.mark.skipif(MCS is None, reason="needs mono-mcs")
def test_unity_scripts_compile_and_make_one_asset_of_each_sound(toys: QuickProject, tmp_path: Path) -> None:
    export(toys, "unity", tmp_path)
    scripts = [
        tmp_path / "CuesmithSound.cs",
        tmp_path / "Editor" / "CuesmithImport.cs",
        SUPPORT / "unity_stub.cs",
    ]
    program = tmp_path / "stub.exe"
    done = subprocess.run(
        [str(MCS), f"-out:{program}", *map(str, scripts)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    if shutil.which("mono") is None:
        pytest.skip("needs mono to run what was compiled")
    ran = subprocess.run(["mono", str(program)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "ERROR" not in ran.stdout
    found = sorted(line.split()[1:] for line in ran.stdout.splitlines() if line.startswith("SOUND "))
    expected = []
    for sound in read_pack(tmp_path)["sounds"]:
        loop = sound["files"][0]["loop"] or {"start": 0, "end": 0}
        paths = ",".join(file["path"] for file in sound["files"])
        facts = [
            sound["id"],
            f"{sound['name']}.asset",
            str(sound["loop"]),
            str(loop["start"]),
            str(loop["end"]),
        ]
        expected.append([*facts, f"{sound['tempo_bpm'] or 0:g}", "True", paths])
    assert found == expected


def test_sounds_that_differ_only_in_their_folders_get_rows_and_events_of_their_own(
    project: QuickProject, tmp_path: Path
) -> None:
    ids = ("a/b_c", "a_b/c", "a/b", "a/b/c")
    project.write("".join(f"  - {{id: {name}, kind: sfx, prompt: {name}, duration: 0.3s}}\n" for name in ids))
    project.build()
    export(project, "unreal", tmp_path / "unreal")
    rows = list(csv.DictReader((tmp_path / "unreal" / "sounds.csv").read_text().splitlines()))
    export(project, "wwise", tmp_path / "wwise")
    items = json.loads((tmp_path / "wwise" / "wwise_import.json").read_text())["imports"]
    for names in ([row["Name"] for row in rows], [item["event"] for item in items]):
        assert len({name.casefold() for name in names}) == len(ids)
    paths = {plain(item["objectPath"]).casefold() for item in items}
    folders = {path.rpartition("\\")[0] for path in paths}
    assert len(paths) == len(ids)
    assert not paths & folders


@pytest.mark.parametrize("older", [False, True])
def test_an_event_keeps_its_name_when_a_sound_with_a_similar_id_is_added(
    project: QuickProject, tmp_path: Path, older: bool
) -> None:
    line = "  - {{id: {0}, kind: sfx, prompt: {0}, duration: 0.3s}}\n"
    project.write(line.format("a_b"))
    project.build()
    export(project, "wwise", tmp_path / "wwise")
    batch = tmp_path / "wwise" / "wwise_import.json"
    before = json.loads(batch.read_text())["imports"]
    if older:
        place = tmp_path / "wwise" / ".cuesmith-export.json"
        ledger = json.loads(place.read_text())
        del ledger["names"]["a_b#"]
        place.write_text(json.dumps(ledger))
    project.write(line.format("a_b") + line.format("a/b"))
    project.build()
    export(project, "wwise", tmp_path / "wwise")
    after = json.loads(batch.read_text())["imports"]
    assert before[0] in after
    assert len({item["event"] for item in after}) == 2


def test_no_sound_has_the_name_of_another_sounds_variation(
    project: QuickProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(
        "  - {id: sfx/hit, kind: sfx, prompt: hit, duration: 0.3s}\n"
        "  - {id: sfx/hit_01, kind: sfx, prompt: other, duration: 0.3s, variations: 2}\n"
    )
    project.build()
    export(project, "unreal", tmp_path / "unreal")
    editor = UnrealEditor()
    run_in_unreal(tmp_path / "unreal", editor, monkeypatch)
    assert editor.lines[-1] == "Cuesmith: 2 sounds in /Game/Cuesmith, 0 failed"
    assert sum("kind" in thing.properties for thing in editor.assets.values()) == 1
    assert len(editor.assets) == 4
    export(project, "wwise", tmp_path / "wwise")
    items = json.loads((tmp_path / "wwise" / "wwise_import.json").read_text())["imports"]
    assert len({plain(item["objectPath"]).casefold() for item in items}) == len(items) == 4


class UnrealThing:
    """An object of the editor with its properties."""

    def __init__(self, **properties: Any) -> None:
        self.properties = properties

    def set_editor_property(self, name: str, value: Any) -> None:
        self.properties[name] = value


class UnrealEditor(types.ModuleType):
    """The documented calls that the script uses; refuses unknown properties and files that are not there."""

    TASK = frozenset(
        {
            "filename",
            "destination_path",
            "destination_name",
            "factory",
            "automated",
            "replace_existing",
            "replace_existing_settings",
            "save",
        }
    )

    def __init__(self) -> None:
        super().__init__("unreal")
        self.assets: dict[str, UnrealThing] = {}
        self.saved: list[UnrealThing] = []
        self.lines: list[str] = []
        self.AssetImportTask = self.SoundFactory = self.SoundCueFactoryNew = UnrealThing
        self.SoundCue = "SoundCue"
        self.AssetToolsHelpers = types.SimpleNamespace(get_asset_tools=lambda: self)
        self.EditorAssetLibrary = types.SimpleNamespace(
            load_asset=self.assets.get,
            save_loaded_asset=self.saved.append,
            does_asset_exist=self.assets.__contains__,
        )

    def import_asset_tasks(self, tasks: list[UnrealThing]) -> None:
        for task in tasks:
            facts = task.properties
            assert facts.keys() <= self.TASK
            if Path(facts["filename"]).is_file():
                path = f"{facts['destination_path']}/{facts['destination_name']}"
                self.assets[path] = UnrealThing(filename=facts["filename"])

    def create_asset(self, name: str, folder: str, kind: str, factory: UnrealThing) -> UnrealThing:
        assert f"{folder}/{name}" not in self.assets
        self.assets[f"{folder}/{name}"] = UnrealThing(kind=kind, **factory.properties)
        return self.assets[f"{folder}/{name}"]

    def log(self, text: str) -> None:
        self.lines.append(text)

    log_error = log


def run_in_unreal(folder: Path, editor: UnrealEditor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "unreal", editor)
    script = folder / "import_to_unreal.py"
    code = compile(script.read_text(encoding="utf-8"), str(script), "exec")
    exec(code, {"__name__": "__main__", "__file__": str(script)})


def test_unreal_script_imports_waves_and_makes_a_cue_of_each_pool(
    toys: QuickProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(toys, "unreal", tmp_path)
    editor = UnrealEditor()
    run_in_unreal(tmp_path, editor, monkeypatch)
    run_in_unreal(tmp_path, editor, monkeypatch)
    pack = read_pack(tmp_path)
    for sound in pack["sounds"]:
        folder = f"/Game/Cuesmith/{sound['name'].rpartition('/')[0]}"
        waves = [editor.assets[f"{folder}/{file['name']}"] for file in sound["files"]]
        assert [wave.properties["filename"] for wave in waves] == [
            str(tmp_path / file["path"]) for file in sound["files"]
        ]
        assert all(wave.properties["looping"] == sound["loop"] for wave in waves)
    cues = {path: thing for path, thing in editor.assets.items() if "kind" in thing.properties}
    assert list(cues) == ["/Game/Cuesmith/sfx/door"]
    assert len(cues["/Game/Cuesmith/sfx/door"].properties["initial_sound_waves"]) == 3
    assert editor.lines[-1] == "Cuesmith: 6 sounds in /Game/Cuesmith, 0 failed"
    (tmp_path / "sfx" / "step_01.wav").unlink()
    missing = UnrealEditor()
    run_in_unreal(tmp_path, missing, monkeypatch)
    assert "Cuesmith: sfx/step_01.wav was not imported" in missing.lines


def test_unreal_table_has_a_row_for_each_sound(toys: QuickProject, tmp_path: Path) -> None:
    export(toys, "unreal", tmp_path)
    with (tmp_path / "sounds.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    sounds = {sound["id"]: sound for sound in read_pack(tmp_path)["sounds"]}
    assert [row["SoundId"] for row in rows] == list(sounds)
    assert len({row["Name"] for row in rows}) == len(rows)
    for row in rows:
        sound = sounds[row["SoundId"]]
        assert int(row["Variations"]) == len(sound["files"])
        assert (row["Loop"] == "true") == sound["loop"]
        assert float(row["LoudnessLUFS"]) == pytest.approx(sound["files"][0]["loudness_lufs"], abs=0.005)
    assert {row["SoundId"]: row["Sound"] for row in rows}["sfx/door"] == "sfx/door"


def plain(path: str) -> str:
    return "\\".join(part.rpartition(">")[2] for part in path.split("\\"))


@pytest.mark.parametrize(
    ("target", "root"), [("wwise", "\\Containers"), ("wwise2024", "\\Actor-Mixer Hierarchy")]
)
def test_wwise_table_and_batch_say_the_same(
    toys: QuickProject, tmp_path: Path, target: str, root: str
) -> None:
    export(toys, target, tmp_path)
    text = (tmp_path / "wwise_import.txt").read_bytes().decode("utf-8")
    lines = [line.split("\t") for line in text.split("\r\n")[:-1]]
    assert {len(line) for line in lines} == {6}
    rows = [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
    batch = json.loads((tmp_path / "wwise_import.json").read_text(encoding="utf-8"))
    assert (batch["importOperation"], batch["default"]) == ("useExisting", {"importLanguage": "SFX"})
    paths = [plain(row["Object Path"]) for row in rows]
    assert len({path.lower() for path in paths}) == len(paths)
    assert all(row["Object Path"].startswith(f"{root}\\Default Work Unit\\<") for row in rows)
    files = files_of(read_pack(tmp_path))
    for row, item in zip(rows, batch["imports"], strict=True):
        assert (item["objectPath"], item["notes"]) == (row["Object Path"], row["Notes"])
        assert item.get("event", "") == row["Event"]
        if row["Object Type"] == "Random Container":
            assert "audioFile" not in item
            continue
        file = files[item["audioFile"]]
        assert row["Audio File"] == item["audioFile"].replace("/", "\\")
        assert item["@IsLoopingEnabled"] is (file["loop"] is not None)
        assert row["Property[IsLoopingEnabled]"] == str(file["loop"] is not None)
    doors = [row["Object Path"] for row in rows if "door" in row["Object Path"]]
    container = f"{root}\\Default Work Unit\\<Virtual Folder>sfx\\<Random Container>door"
    assert doors == [container, *(f"{container}\\<Sound SFX>door_{number:02d}" for number in (1, 2, 3))]
    events = [row["Event"] for row in rows if row["Event"]]
    assert len(events) == len(set(events)) == 6


class Wwise(BaseHTTPRequestHandler):
    """WAAPI over HTTP as it is documented: an item that fails gives no error, only a line in the log."""

    year = 2025
    objects: dict[str, dict[str, Any]]
    logged: list[dict[str, Any]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = json.dumps(self.answer(body["uri"], body["args"])).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answer)

    def answer(self, uri: str, args: dict[str, Any]) -> Any:
        if uri == "ak.wwise.core.getInfo":
            return {"version": {"year": self.year}}
        if uri == "ak.wwise.core.log.get":
            return {"items": self.logged if args["channel"] == "general" else []}
        if uri == "ak.wwise.core.audio.import":
            return {"objects": [made for item in args["imports"] if (made := self.imported(item))]}
        assert uri.startswith("ak.wwise.core.undo."), uri
        return {}

    def imported(self, item: dict[str, Any]) -> dict[str, str] | None:
        if "audioFile" in item and not Path(item["audioFile"]).is_file():
            text = f"Cannot find {item['audioFile']}"
            self.logged.append(
                {"severity": "Error", "message": text, "time": len(self.logged), "messageId": "x"}
            )
            return None
        self.objects[plain(item["objectPath"])] = item
        return {"path": plain(item["objectPath"])}

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def wwise() -> Iterator[tuple[str, type[Wwise]]]:
    old = {"severity": "Error", "message": "from yesterday", "time": 0, "messageId": "old"}
    handler = type("Handler", (Wwise,), {"objects": {}, "logged": [old]})
    with LoopbackServer(handler) as server:
        yield f"{server.url}/waapi", handler


def run_wwise(folder: Path, url: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(folder / "import_to_wwise.py"), "--url", url]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_wwise_runner_imports_all_and_finds_failures_in_the_log(
    toys: QuickProject, tmp_path: Path, wwise: tuple[str, type[Wwise]]
) -> None:
    url, handler = wwise
    export(toys, "wwise", tmp_path)
    done = run_wwise(tmp_path, url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "all objects were imported\n", "")
    assert len(handler.objects) == 9
    (tmp_path / "sfx" / "step_01.wav").unlink()
    done = run_wwise(tmp_path, url)
    assert done.returncode == 1
    assert f"Cannot find {tmp_path / 'sfx' / 'step_01.wav'}" in done.stderr
    assert "step_01 was not imported" in done.stderr
    assert "yesterday" not in done.stderr
    handler.year = 2024
    assert "export again: cuesmith export wwise2024" in run_wwise(tmp_path, url).stderr
    assert run_wwise(tmp_path, "http://127.0.0.1:9/waapi").returncode == 2


def run_fmod(folder: Path, times: int = 1) -> dict[str, Any]:
    command = [str(NODE), str(SUPPORT / "fmod_stub.js"), str(folder / "import_to_fmod.js"), str(times)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.skipif(NODE is None, reason="needs node")
def test_fmod_script_makes_an_event_for_each_sound_and_keeps_it(toys: QuickProject, tmp_path: Path) -> None:
    export(toys, "fmod", tmp_path)
    found = run_fmod(tmp_path, times=2)
    events = {event["path"]: event for event in found["events"]}
    pack = read_pack(tmp_path)
    assert list(events) == [sound["name"] for sound in pack["sounds"]]
    for sound in pack["sounds"]:
        event, [instrument] = events[sound["name"]], events[sound["name"]]["sounds"]
        assert event["banks"] == ["Cuesmith"]
        assert instrument["files"] == [str(tmp_path / file["path"]) for file in sound["files"]]
        assert instrument["kind"] == ("MultiSound" if len(sound["files"]) > 1 else "SingleSound")
        assert instrument["length"] == pytest.approx(
            max(file["seconds"] for file in sound["files"]), abs=1e-5
        )
        loop, rate = sound["files"][0]["loop"], sound["files"][0]["sample_rate_hz"]
        regions = [
            (round(mark["position"] * rate), round(mark["length"] * rate)) for mark in event["markers"]
        ]
        assert regions == ([(loop["start"], loop["end"] - loop["start"])] if loop else [])
        assert all(mark["mode"] == 1 for mark in event["markers"])
    assert found["messages"] == ["saved", "6 of 6 sounds imported", "built"] * 2
    (tmp_path / "sfx" / "step_01.wav").unlink()
    messages = run_fmod(tmp_path)["messages"]
    assert messages == ["saved", "5 of 6 sounds imported\nsfx/step: sfx/step_01.wav was not imported"]
