"""Imports a Cuesmith pack into an Unreal project; run it in the editor: Tools > Execute Python Script.

From the command line: UnrealEditor-Cmd PROJECT.uproject -run=pythonscript -script="PATH/import_to_unreal.py".
The plugin "Python Editor Script Plugin" must be enabled. CUESMITH_DESTINATION names the folder of the assets; default
/Game/Cuesmith. The script needs pack.json beside it. A second run replaces the sounds and keeps the assets.
"""

import json
import os
from pathlib import Path
from typing import Any

import unreal  # type: ignore[import-not-found]

FOLDER = Path(__file__).resolve().parent
DESTINATION = os.environ.get("CUESMITH_DESTINATION", "/Game/Cuesmith")


def wave_path(sound: dict[str, Any], file: dict[str, Any]) -> tuple[str, str]:
    """The folder and the name of the asset of one file."""
    folder = sound["name"].rpartition("/")[0]
    return (f"{DESTINATION}/{folder}" if folder else DESTINATION), file["name"]


def import_waves(sounds: list[dict[str, Any]]) -> None:
    """Import every file as a SoundWave; existing assets keep their references."""
    tasks = []
    for sound in sounds:
        for file in sound["files"]:
            task = unreal.AssetImportTask()
            folder, name = wave_path(sound, file)
            task.set_editor_property("filename", str(FOLDER / file["path"]))
            task.set_editor_property("destination_path", folder)
            task.set_editor_property("destination_name", name)
            task.set_editor_property("factory", unreal.SoundFactory())
            task.set_editor_property("automated", True)
            task.set_editor_property("replace_existing", True)
            task.set_editor_property("replace_existing_settings", False)
            task.set_editor_property("save", False)
            tasks.append(task)
    unreal.AssetToolsHelpers.get_asset_tools().import_asset_tasks(tasks)


def finish_sound(sound: dict[str, Any]) -> list[str]:
    """Set the loop flag of each wave, and make the SoundCue of a sound with variations; returns what failed."""
    waves, failed = [], []
    for file in sound["files"]:
        folder, name = wave_path(sound, file)
        wave = unreal.EditorAssetLibrary.load_asset(f"{folder}/{name}")
        if wave is None:
            failed.append(file["path"])
            continue
        wave.set_editor_property("looping", file["loop"] is not None)
        unreal.EditorAssetLibrary.save_loaded_asset(wave)
        waves.append(wave)
    folder, name = wave_path(sound, {"name": sound["name"].rpartition("/")[2]})
    if (
        len(sound["files"]) > 1
        and waves
        and not unreal.EditorAssetLibrary.does_asset_exist(f"{folder}/{name}")
    ):
        factory = unreal.SoundCueFactoryNew()
        factory.set_editor_property("initial_sound_waves", waves)
        tools = unreal.AssetToolsHelpers.get_asset_tools()
        cue = tools.create_asset(name, folder, unreal.SoundCue, factory)
        if cue is None:
            failed.append(f"{folder}/{name}")
        else:
            unreal.EditorAssetLibrary.save_loaded_asset(cue)
    return failed


def main() -> None:
    """Import the pack beside this script."""
    pack = json.loads((FOLDER / "pack.json").read_text(encoding="utf-8"))
    import_waves(pack["sounds"])
    failed = [name for sound in pack["sounds"] for name in finish_sound(sound)]
    for name in failed:
        unreal.log_error(f"Cuesmith: {name} was not imported")
    unreal.log(f"Cuesmith: {len(pack['sounds'])} sounds in {DESTINATION}, {len(failed)} failed")


if __name__ == "__main__":
    main()
