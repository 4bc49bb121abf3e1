"""Takes from tiny pipelines: the same for ever, in any company; exact lengths; loops that are made; further passes."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from tiny_pipelines import FAMILIES

from pipeline.audio import Clip
from pipeline.errors import GenerationError, MachineError
from pipeline.generators.diffusers import generator as generator_module
from pipeline.generators.diffusers import models
from pipeline.generators.diffusers.engine import ENGINE
from pipeline.generators.diffusers.generator import DiffusersGenerator
from pipeline.generators.diffusers.models import BY_ID
from pipeline.generators.diffusers.pipelines import Request, exact_seconds
from pipeline.generators.diffusers.takes import FADE_S, make_take
from pipeline.generators.protocol import GeneratedTake
from pipeline.mastering.seam import measure_seam
from pipeline.recipe import Recipe

Recipes = Callable[..., Recipe]
INPAINTING = ("stable-audio-3", "ace-step")
SONG = Clip(np.random.default_rng(3).normal(0.0, 0.2, (1, 36_000)).astype(np.float32), 12_000)


def made(generator: DiffusersGenerator, *recipes: Recipe) -> list[GeneratedTake]:
    outcomes = {recipe.digest: outcome for recipe, outcome in generator.generate(recipes, {"song": SONG})}
    takes = [outcomes[recipe.digest] for recipe in recipes]
    for take in takes:
        assert isinstance(take, GeneratedTake), take
    return takes  # type: ignore[return-value]


def samples(generator: DiffusersGenerator, *recipes: Recipe) -> list[bytes]:
    return [take.clip.samples.tobytes() for take in made(generator, *recipes)]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_take_is_the_same_alone_in_company_and_in_any_order(
    family: str, generator: DiffusersGenerator, recipe: Recipes
) -> None:
    inpaints = family in INPAINTING
    one = recipe(family, **({"seam_s": 0.5, "window_s": 8.0} if inpaints else {}), seconds=2.0)
    others = [
        recipe(family, seed=2),
        recipe(family, prompt="drums", seconds=1.5),
        recipe(family, conditioning={"start_from": "song"}, strength=0.5),
    ]
    [alone] = samples(generator, one)
    torch.manual_seed(99)
    assert samples(generator, *others, one)[-1] == alone
    assert samples(generator, one, *reversed(others))[0] == alone
    assert samples(DiffusersGenerator("cpu"), one) == [alone]
    assert len({alone, *samples(generator, *others)}) == 4


@pytest.mark.parametrize("family", FAMILIES)
def test_a_take_that_starts_from_a_file_is_the_same_after_others(
    family: str, generator: DiffusersGenerator, recipe: Recipes
) -> None:
    start = recipe(family, conditioning={"start_from": "song"}, strength=0.4)
    plain, further = recipe(family), recipe(family, conditioning={"start_from": "song"}, strength=0.9)
    before = samples(generator, start, plain)
    assert samples(generator, further, plain, start)[1:] == before[::-1]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seconds", [0.3, 0.777, 1.23456])
def test_a_take_has_exactly_the_seconds_that_are_asked_for(
    family: str, seconds: float, generator: DiffusersGenerator, recipe: Recipes
) -> None:
    [take] = made(generator, recipe(family, seconds))
    assert (take.clip.rate, take.clip.channels) == (8000, 2)
    assert take.clip.length == round(seconds * 8000)


@pytest.mark.parametrize("rate", [8000, 44_100, 48_000])
def test_seconds_survive_the_way_in_which_pipelines_truncate_them(rate: int) -> None:
    for count in range(1, 20_000, 7):
        assert int(exact_seconds(count, rate) * rate) == count


@pytest.mark.parametrize(
    ("family", "change"),
    [
        ("stable-audio-open", {"guidance": 3.0}),
        ("stable-audio-open", {"guidance": 3.0, "negative": "hiss"}),
        ("stable-audio-3", {"steps": 4}),
        ("ace-step", {"key": "A minor"}),
        ("ace-step", {"time_signature": "3/4"}),
        ("ace-step", {"bpm": 92.0}),
        ("ace-step", {"lyrics": "la la"}),
        ("ace-step", {"lyrics": "la la", "language": "ja"}),
    ],
)
def test_each_setting_reaches_the_model(
    family: str, change: dict[str, Any], generator: DiffusersGenerator, recipe: Recipes
) -> None:
    most = list(change)[-1]
    fewer = {name: value for name, value in change.items() if name != most}
    one, other = samples(generator, recipe(family, **fewer), recipe(family, **change))
    assert one != other


@pytest.mark.parametrize("family", INPAINTING)
def test_only_the_part_around_the_seam_of_a_loop_is_generated_again(
    family: str, generator: DiffusersGenerator, recipe: Recipes
) -> None:
    plain, loop = made(
        generator, recipe(family, seconds=4.0, window_s=8.0), recipe(family, 4.0, seam_s=1.0, window_s=8.0)
    )
    assert plain.loop is None
    assert loop.loop is not None
    assert tuple(loop.loop) == (0, 32_000)
    begin, end = loop.notes["loop"]["samples_around_seam"]
    assert begin < -3900
    assert end > 3900
    old, new = plain.clip.samples, loop.clip.samples
    assert np.array_equal(old[:, end:begin], new[:, end:begin])
    for part in (np.s_[:, :end], np.s_[:, begin:]):
        assert not np.array_equal(old[part], new[part])


class _Ramp:
    """Creates a ramp, and joins what is kept by a straight line: both are easy to hear through."""

    rate, channels, frame = 8000, 1, 100

    def create(self, request: Request) -> torch.Tensor:
        return torch.linspace(-0.8, 0.8, request.samples)[None]

    def inpaint(self, request: Request, source: torch.Tensor, part: tuple[int, int]) -> torch.Tensor:
        begin, end = part
        sound = source.clone()
        if end < source.shape[1]:
            sound[:, begin:end] = torch.linspace(
                float(source[0, begin - 1]), float(source[0, end]), end - begin
            )
        else:
            slope = source[0, begin - 1] - source[0, begin - 2]
            sound[0, begin:] = source[0, begin - 1] + slope * torch.arange(1, source.shape[1] - begin + 1)
        return sound


def test_the_wrap_of_a_made_loop_is_continuous(recipe: Recipes) -> None:
    loop = make_take(_Ramp(), recipe("stable-audio-3", 4.0, seam_s=1.0, window_s=8.0), {}, torch.Generator())
    plain = make_take(_Ramp(), recipe("stable-audio-3", 4.0), {}, torch.Generator())
    assert loop.loop is not None
    wrapped = torch.cat([loop.sound, loop.sound[:, :1]], dim=1)
    assert float(wrapped.diff().abs().max()) < 0.01
    assert float((plain.sound[0, 0] - plain.sound[0, -1]).abs()) > 1.5
    before, after = (measure_seam(Clip(one.sound.numpy(), 8000), loop.loop).click for one in (plain, loop))
    assert after < 1.0 < before


def test_a_long_sound_goes_on_where_the_pass_before_it_ended(recipe: Recipes) -> None:
    long = make_take(
        _Ramp(), recipe("stable-audio-3", 9.0, context_s=1.0, window_s=4.0), {}, torch.Generator()
    )
    assert long.notes["passes"] == [32_000, 24_000, 16_000]
    steps = long.sound.diff()
    assert float((steps - steps[0, 0]).abs().max()) < 1e-4


@pytest.mark.parametrize("family", INPAINTING)
def test_further_passes_change_nothing_before_their_crossfade(
    family: str, generator: DiffusersGenerator, recipe: Recipes
) -> None:
    settings = {"context_s": 2.0, "window_s": 4.0}
    short, long = made(generator, recipe(family, 4.0, **settings), recipe(family, 7.0, **settings))
    assert long.clip.length == 56_000
    kept = 32_000 - round(FADE_S * 8000)
    assert np.array_equal(short.clip.samples[:, :kept], long.clip.samples[:, :kept])


@pytest.mark.parametrize("family", INPAINTING)
def test_a_continuation_hears_the_file_and_lasts_as_long_as_asked(
    family: str, generator: DiffusersGenerator, recipe: Recipes
) -> None:
    settings = {"context_s": 2.0, "window_s": 8.0}
    [take] = made(generator, recipe(family, 3.0, conditioning={"continue_from": "song"}, **settings))
    assert take.clip.length == 24_000
    assert take.notes["continued_from_s"] == 3.0
    other = {"song": Clip(SONG.samples[:, ::-1].copy(), SONG.rate)}
    [(_, backwards)] = generator.generate(
        [recipe(family, 3.0, conditioning={"continue_from": "song"}, **settings)], other
    )
    assert isinstance(backwards, GeneratedTake)
    assert not np.array_equal(backwards.clip.samples, take.clip.samples)


STEREO = Clip(np.random.default_rng(4).normal(0.0, 0.2, (2, 24_000)).astype(np.float32), 8_000)


def edited(generator: DiffusersGenerator, wanted: Recipe, clip: Clip = STEREO) -> GeneratedTake:
    [(_, take)] = generator.generate([wanted], {"song": clip})
    assert isinstance(take, GeneratedTake), take
    return take


@pytest.mark.parametrize("family", INPAINTING)
@pytest.mark.parametrize(("begin_s", "end_s"), [(0.5, 1.3), (0.0, 0.777), (1.1, 2.0)])
def test_a_repaint_changes_its_part_alone(
    family: str, begin_s: float, end_s: float, generator: DiffusersGenerator, recipe: Recipes
) -> None:
    take = edited(
        generator, recipe(family, 2.0, conditioning={"repaint": "song"}, from_s=begin_s, to_s=end_s)
    )
    begin, end = round(begin_s * 8000), round(end_s * 8000)
    assert take.notes["repainted_samples"] == [begin, end]
    new, old = take.clip.samples, STEREO.samples[:, :16_000]
    assert new.shape == old.shape
    assert np.array_equal(new[:, :begin], old[:, :begin])
    assert np.array_equal(new[:, end:], old[:, end:])
    assert np.mean(new[:, begin:end] == old[:, begin:end]) < 0.01


def test_a_repaint_leaves_nothing_of_the_old_sound_at_the_edges_of_a_file(recipe: Recipes) -> None:
    ones = Clip(np.ones((1, 8000), np.float32), 8000)

    class Silence(_Ramp):
        def inpaint(self, request: Request, source: torch.Tensor, part: tuple[int, int]) -> torch.Tensor:
            return torch.zeros_like(source)

    def repainted(begin_s: float, end_s: float) -> torch.Tensor:
        wanted = recipe("ace-step", 1.0, conditioning={"repaint": "song"}, from_s=begin_s, to_s=end_s)
        return make_take(Silence(), wanted, {"song": ones}, torch.Generator()).sound[0]

    assert not repainted(0.0, 1.0).any()
    inner = repainted(0.25, 0.75)
    assert (inner[:2000] == 1.0).all()
    assert (inner[6000:] == 1.0).all()
    assert float(inner.diff().abs().max()) < 0.03


@pytest.mark.parametrize("task", ["extract", "lego", "complete"])
def test_tracks_follow_the_file_and_their_names(
    task: str, generator: DiffusersGenerator, recipe: Recipes
) -> None:
    def take(tracks: str, clip: Clip = STEREO) -> bytes:
        wanted = recipe("ace-step", 2.0, conditioning={task: "song"}, tracks=tracks)
        made = edited(generator, wanted, clip)
        assert made.clip.length == 16_000
        return made.clip.samples.tobytes()

    backwards = Clip(STEREO.samples[:, ::-1].copy(), STEREO.rate)
    sounds = {take("drums"), take("bass"), take("drums", backwards)}
    if task == "complete":
        sounds.add(take("drums, bass"))
    assert len(sounds) == (4 if task == "complete" else 3)
    assert take("drums") in sounds


def test_an_edited_loop_is_the_loop_that_the_file_is(generator: DiffusersGenerator, recipe: Recipes) -> None:
    wanted = recipe("ace-step", 2.0, conditioning={"lego": "song"}, tracks="drums", file_loops=True)
    loop = edited(generator, wanted).loop
    assert loop is not None
    assert tuple(loop) == (0, 16_000)


@pytest.mark.parametrize(
    ("task", "settings"), [("repaint", {"from_s": 0.0, "to_s": 1.0}), ("lego", {"tracks": "fx"})]
)
def test_a_file_shorter_than_its_edited_sound_is_an_error(
    task: str, settings: dict[str, Any], generator: DiffusersGenerator, recipe: Recipes
) -> None:
    wanted = recipe("ace-step", 4.0, conditioning={task: "song"}, **settings)
    [(_, error)] = generator.generate([wanted], {"song": STEREO})
    assert f"{task}: the file lasts 3 s, and the sound 4 s" in str(error)


def test_a_file_too_short_to_continue_is_an_error_of_its_take_alone(
    generator: DiffusersGenerator, recipe: Recipes
) -> None:
    short = recipe("ace-step", conditioning={"continue_from": "song"}, context_s=2.0, window_s=8.0)
    plain = recipe("ace-step")
    outcomes = generator.generate([short, plain], {"song": Clip(SONG.samples[:, :1200], SONG.rate)})
    [(_, error), (_, take)] = outcomes
    assert "continue_from lasts 0.1 s; give 0.5 s or more" in str(error)
    assert isinstance(take, GeneratedTake)


def test_a_record_has_what_decides_a_take(generator: DiffusersGenerator, recipe: Recipes) -> None:
    [take] = made(generator, recipe("stable-audio-open"))
    notes = take.notes
    assert (notes["dtype"], notes["seed"], notes["decoding"]) == ("float32", 1, "whole")
    assert (notes["pipeline"], notes["scheduler"]) == (
        "StableAudioPipeline",
        "CosineDPMSolverMultistepScheduler",
    )
    assert notes["checkpoint"]["license"] == "unknown"
    assert "vae/diffusion_pytorch_model.safetensors" in notes["checkpoint"]["files"]
    assert {"torch", "diffusers", "transformers", "torchsde", "threads"} <= set(generator.software())


def _out_of_memory(times: int, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Memory runs out so many times; the list shows which attempts decoded in tiles."""
    attempts: list[bool] = []
    make = generator_module.make_take

    def attempt(pipeline: Any, *rest: Any) -> Any:
        attempts.append(pipeline._autoencoder.use_tiling)
        if len(attempts) <= times:
            raise torch.OutOfMemoryError("out of memory")
        return make(pipeline, *rest)

    monkeypatch.setattr(generator_module, "make_take", attempt)
    return attempts


@pytest.mark.parametrize(("times", "tiled"), [(1, [False, False]), (2, [False, False, True])])
def test_out_of_memory_steps_down_and_the_next_take_is_whole_again(
    times: int, tiled: Sequence[bool], recipe: Recipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = DiffusersGenerator("cpu")
    one, two = recipe("stable-audio-open"), recipe("stable-audio-open", seed=2)
    whole = samples(own, one, two)
    samples(own, recipe("ace-step"))
    attempts = _out_of_memory(times, monkeypatch)
    takes = made(own, one, two)
    assert attempts == [*tiled, False]
    assert [take.notes["decoding"] for take in takes] == ["tiles" if times == 2 else "whole", "whole"]
    assert takes[1].clip.samples.tobytes() == whole[1]
    assert list(own._loaded) == [(one.model, one.revision)]


@pytest.mark.slow
def test_a_take_that_never_fits_is_an_error_that_says_what_to_do(
    recipe: Recipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    _out_of_memory(3, monkeypatch)
    [(_, error)] = DiffusersGenerator("cpu").generate([recipe("stable-audio-open")], {})
    assert isinstance(error, GenerationError)
    assert "too little memory for this take alone; use a shorter duration" in str(error)


def test_samples_that_are_not_finite_are_an_error(
    generator: DiffusersGenerator, recipe: Recipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = generator_module.make_take

    def broken(*args: Any) -> Any:
        take = make(*args)
        take.sound[0, 5] = torch.nan
        return take

    monkeypatch.setattr(generator_module, "make_take", broken)
    [(_, error)] = generator.generate([recipe("stable-audio-3")], {})
    assert "not finite" in str(error)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_precision_of_cuda_devices_works_for_everything_and_is_recorded(
    family: str, recipe: Recipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    dtype_of = generator_module._dtype_of
    assert dtype_of(family, "mps") == dtype_of(family, "cpu") == torch.float32
    monkeypatch.setattr(generator_module, "_dtype_of", lambda family, device: dtype_of(family, "cuda:1"))
    recipes = [recipe(family, conditioning={"start_from": "song"}, strength=0.5)]
    if family in INPAINTING:
        recipes += [
            recipe(family, 2.0, seam_s=0.5, window_s=8.0),
            recipe(family, conditioning={"continue_from": "song"}, context_s=2.0, window_s=8.0),
        ]
    for take in made(DiffusersGenerator("cpu"), *recipes):
        assert take.notes["dtype"] == ("bfloat16" if family == "ace-step" else "float16")
        assert take.clip.samples.dtype == np.float32


def test_loading_and_generating_open_no_socket(recipe: Recipes, monkeypatch: pytest.MonkeyPatch) -> None:
    recipes = [recipe(family) for family in FAMILIES]
    opened: list[str] = []

    def refuse(name: str) -> Callable[..., Any]:
        def refused(*_: Any, **__: Any) -> None:
            opened.append(name)
            raise OSError("no network")

        return refused

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse(name))
    made(DiffusersGenerator("cpu"), *recipes)
    assert opened == []


def test_weights_that_changed_are_not_loaded(recipe: Recipes) -> None:
    wanted = recipe("stable-audio-3")
    stored = generator_module.STORE.require(wanted.model, wanted.revision)
    weights = stored.folder / "vae" / "diffusion_pytorch_model.safetensors"
    data = weights.read_bytes()
    try:
        weights.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        with pytest.raises(MachineError, match="the file changed"):
            list(DiffusersGenerator("cpu").generate([wanted], {}))
    finally:
        weights.write_bytes(data)


def test_a_device_that_is_not_here_is_an_error() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(MachineError, match="sees no CUDA device"):
        DiffusersGenerator("cuda")
    with pytest.raises(MachineError, match="has no device 'tpu:0'; use cuda, mps or cpu"):
        ENGINE.open("tpu:0")


def test_a_longer_take_costs_more(recipe: Recipes) -> None:
    for family in FAMILIES:
        costs = [ENGINE.cost(recipe(family, seconds)) for seconds in (1.0, 2.0, 4.0)]
        assert sorted(set(costs)) == costs
        assert ENGINE.estimate([recipe(family)], "cuda").seconds < costs[0]


def test_every_published_model_has_a_licence_and_a_class() -> None:
    for model in BY_ID.values():
        assert hasattr(diffusers, models.FAMILIES[model.family].classes[0])
        assert model.info("x").license == model.license
