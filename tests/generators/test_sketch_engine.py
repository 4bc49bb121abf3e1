"""The light face of the sketch engine."""

import subprocess
import sys
from dataclasses import replace

import pytest
from sketch_listening import recipe
from specs import an_asset

from pipeline.errors import MachineError
from pipeline.generators import Engine, engine_names, find_engine
from pipeline.generators.sketch import ENGINE
from pipeline.manifest.spec import AudioInput

ASSET = an_asset()


def test_engine_keeps_the_protocol():
    assert isinstance(ENGINE, Engine)


def test_entry_point_finds_the_engine():
    if "sketch" not in engine_names():
        pytest.skip("the project is not installed here, so it has no entry points")
    assert find_engine("sketch") is ENGINE


def test_importing_and_asking_loads_no_numpy():
    code = (
        "import sys; from pipeline.generators.sketch import ENGINE; ENGINE.devices();"
        "assert 'numpy' not in sys.modules and 'scipy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_ask_says_that_output_is_a_free_procedural_placeholder():
    model = ENGINE.requirements(ASSET).model
    assert (model.license, model.commercial) == ("CC0-1.0", True)
    assert (model.neural, model.placeholder, model.revision) == (False, True, ENGINE.version)


@pytest.mark.parametrize(
    ("kind", "loop", "channels"), [("sfx", False, 1), ("sfx", True, 2), ("music", False, 2)]
)
def test_ask_gives_music_and_loops_two_channels(kind, loop, channels):
    assert ENGINE.requirements(replace(ASSET, kind=kind, loop=loop)).model.channels == channels


def test_settings_hold_only_what_changes_the_audio():
    music = replace(ASSET, kind="music", bpm=92.0, loop=True)
    assert ENGINE.requirements(music).settings == {"loop": True, "bpm": 92.0}
    assert ENGINE.requirements(ASSET).settings == {"loop": False}
    assert ENGINE.requirements(replace(ASSET, loop=True)).settings == {"loop": True, "start": "calm"}


def test_what_is_not_heard_is_named():
    tune = AudioInput("a.wav", "/a.wav", "0" * 64)
    asset = replace(
        ASSET,
        engine_keys={"melody": tune, "continue_from": tune, "sampling": {"temperature": 0.5}, "extend": True},
        model="some/model",
        bpm=120.0,
    )
    ask = ENGINE.requirements(asset)
    assert set(ask.ignored) == {"melody", "continue_from", "sampling", "model", "bpm"}
    assert ask.problems == ()
    assert ask.conditioning == {}


def test_nothing_is_ignored_in_a_plain_asset():
    assert ENGINE.requirements(ASSET).ignored == ()


def test_it_runs_on_the_processor_alone():
    assert set(ENGINE.devices()) == {"cpu"}
    with pytest.raises(MachineError, match="use cpu"):
        ENGINE.open("cuda:0")


def test_numbered_processors_open_too():
    assert ENGINE.open("cpu:1").software().keys() == {"numpy", "scipy"}


def test_longer_takes_cost_more():
    assert 0 < ENGINE.cost(recipe("x", 1.0)) < ENGINE.cost(recipe("x", 10.0))
