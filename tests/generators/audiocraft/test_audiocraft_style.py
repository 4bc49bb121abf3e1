"""Style: MERT in HuBERT's modules, the bottleneck, double guidance; each against the formulas of its paper."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import julius
import numpy as np
import pytest
import torch
from hostile import MaliciousPickle
from tiny_checkpoints import copy_checkpoint, write_mert
from torch.nn import functional
from transformers import HubertConfig, HubertModel

from pipeline.audio import Clip
from pipeline.errors import GenerationError, MachineError
from pipeline.generators import GeneratedTake, pickles
from pipeline.generators.audiocraft import codec, conversion, style
from pipeline.generators.audiocraft.audiocraft_modules import transformer
from pipeline.generators.audiocraft.conditions import encode_condition
from pipeline.generators.audiocraft.decoding.cpu.attention import SlotCache
from pipeline.generators.audiocraft.generator import AudioCraftGenerator, PreparedModel
from pipeline.generators.audiocraft.loading import Loaded, load
from pipeline.recipe import Recipe

Make = Callable[..., Recipe]
Load = Callable[[str], Loaded]

RATE = 32_000
_TIME = np.arange(RATE * 5) / RATE
_NOISE = np.random.default_rng(0).standard_normal((2, _TIME.size))
SONG = Clip((0.3 * np.sin(2 * np.pi * 220 * _TIME) + 0.1 * _NOISE[:1]).astype(np.float32), RATE)
OTHER = Clip((0.3 * np.sin(2 * np.pi * 555 * _TIME * _TIME) + 0.1 * _NOISE[1:]).astype(np.float32), RATE)
SHORT = Clip(SONG.samples[:, : RATE * 2], RATE)
AUDIO = {"song": SONG, "other": OTHER, "short": SHORT}
STYLE = {"style_excerpt_s": 3.0, "style_codebooks": 3, "cfg_text": 5.0, "temperature": 0.0}


@pytest.fixture
def styled(recipe: Make) -> Make:
    def make(song: str = "song", seed: int = 1, seconds: float = 0.5, **changes: Any) -> Recipe:
        how = {**STYLE, "conditioning": {"style": song}, **changes}
        return recipe("music-style", "heavy drums and brass", seconds, seed, **how)

    return make


def _codes(generator: AudioCraftGenerator, recipe: Recipe) -> torch.Tensor:
    [(_, take)] = generator.generate([recipe], AUDIO)
    assert isinstance(take, GeneratedTake), take
    return codec.unpack(take.attachments["codes"])[0]


def _attention(state: dict[str, torch.Tensor], name: str, x: torch.Tensor, heads: int) -> torch.Tensor:
    query, key, value = (
        part.view(*part.shape[:2], heads, -1).transpose(1, 2)
        for part in (x @ state[f"{name}.in_proj_weight"].T).chunk(3, -1)
    )
    weights = (query @ key.transpose(2, 3) / query.shape[-1] ** 0.5).softmax(-1)
    return (weights @ value).transpose(1, 2).flatten(2) @ state[f"{name}.out_proj.weight"].T


def _positions(frames: int, width: int) -> torch.Tensor:
    place = torch.arange(frames)[:, None] / 10_000 ** (torch.arange(width // 2) / (width // 2 - 1))
    return torch.cat([place.cos(), place.sin()], -1)


def _bottleneck(state: dict[str, torch.Tensor], features: torch.Tensor, codebooks: int) -> torch.Tensor:
    """From MERT's features to the prefix, in plain tensors: the checkpoint's names, the paper's figure 1."""
    x = functional.linear(features, state["embed.weight"], state["embed.bias"])
    width = x.shape[-1]
    x = x + _positions(x.shape[1], width)
    for layer in range(4):
        name = f"transformer.layers.{layer}"

        def norm(which: int, x: torch.Tensor, name: str = name) -> torch.Tensor:
            return functional.layer_norm(
                x, (width,), state[f"{name}.norm{which}.weight"], state[f"{name}.norm{which}.bias"]
            )

        x = x + _attention(state, f"{name}.self_attn", norm(1, x), 8)
        inner = functional.gelu(norm(2, x) @ state[f"{name}.linear1.weight"].T)
        x = x + inner @ state[f"{name}.linear2.weight"].T
    x = (x - state["batch_norm.running_mean"]) / (state["batch_norm.running_var"] + 1e-5).sqrt()
    left, sum_of_codes = x, torch.zeros_like(x)
    for level in range(codebooks):
        table = state[f"rvq.vq.layers.{level}._codebook.embed"]
        nearest = table[torch.cdist(left, table[None]).argmin(-1)]
        left, sum_of_codes = left - nearest, sum_of_codes + nearest
    kept = sum_of_codes[:, ::15]
    return functional.linear(kept, state["output_proj.weight"], state["output_proj.bias"])


@pytest.fixture(scope="module")
def published(checkpoint: Callable[[str], Path]) -> dict[str, torch.Tensor]:
    """The style conditioner's part of the checkpoint as it was written."""
    whole = torch.load(checkpoint("music-style") / "state_dict.bin", weights_only=True)["best_state"]
    start = "condition_provider.conditioners.self_wav."
    return {key.removeprefix(start): value for key, value in whole.items() if key.startswith(start)}


@pytest.mark.parametrize("codebooks", [1, 3, 6])
def test_the_prefix_is_what_the_papers_formulas_give(
    codebooks: int, published: dict[str, torch.Tensor], checkpoint: Callable[[str], Path], loaded: Load
) -> None:
    samples = torch.from_numpy(SONG.samples[:, :96_000])
    condition = encode_condition(loaded("music-style").generator, "calm", samples, codebooks, double=True)
    found, mask = condition.tensors["self_wav"]
    heard = HubertModel(HubertConfig(**_hubert(checkpoint("music-style") / "MERT-v1-95M"))).eval()
    _take_over(heard, checkpoint("music-style") / "MERT-v1-95M")
    with torch.no_grad():
        features = heard(julius.resample_frac(samples, RATE, 24_000)).last_hidden_state
        expected = _bottleneck(published, features, codebooks)
    assert found.shape == (3, 15, 32)
    torch.testing.assert_close(found[:1], expected, atol=2e-5, rtol=1e-4)
    assert torch.equal(found[0], found[1])
    assert not found[2].any()
    assert mask.tolist() == [[1] * 15, [1] * 15, [0] * 15]
    text, _ = condition.tensors["description"]
    assert text[0].any()
    assert not text[1:].any()


def _hubert(folder: Path) -> dict[str, Any]:
    said = json.loads((folder / "config.json").read_text())
    return {key: value for key, value in said.items() if key not in ("model_type", "architectures")}


def _take_over(model: HubertModel, folder: Path) -> None:
    """Set the weights one by one: the weight of a weight norm is g v / |v|, the norm over all but the last axis."""
    state = torch.load(folder / "pytorch_model.bin", weights_only=True)
    own = dict(model.named_parameters())
    for key, value in state.items():
        if "pos_conv_embed.conv.weight_" not in key:
            own[key].data.copy_(value)
    conv: Any = model.encoder.pos_conv_embed.conv
    size, direction = (state[f"encoder.pos_conv_embed.conv.weight_{part}"] for part in "gv")
    torch.nn.utils.parametrize.remove_parametrizations(conv, "weight")
    conv.weight.data.copy_(size * direction / direction.norm(dim=(0, 1), keepdim=True))


def test_double_guidance_is_the_papers_formula(
    styled: Make, generator: AudioCraftGenerator, loaded: Load
) -> None:
    model = loaded("music-style").generator
    samples = torch.from_numpy(SONG.samples[:, RATE : RATE * 4])
    tensors = encode_condition(model, "heavy drums and brass", samples, 3, double=True).tensors
    lm, frames = model.lm, 25
    pattern = lm.pattern_provider.get_pattern(frames)
    codes, _, valid = pattern.build_pattern_sequence(torch.full((1, 4, frames), -1), lm.special_token_id)
    with torch.no_grad():
        for step in range(1, codes.shape[-1]):
            both, alone, null = (
                lm(
                    codes[..., :step],
                    [],
                    {
                        key: (value[way : way + 1], mask[way : way + 1])
                        for key, (value, mask) in tensors.items()
                    },
                )[:, :, -1]
                for way in range(3)
            )
            best = (null + 3 * (alone + 5 * (both - alone) - null)).argmax(-1)
            codes[..., step] = torch.where(valid[None, :, step], best, lm.special_token_id)
    expected = pattern.revert_pattern_sequence(codes, special_token=-1)[0][0, :, :frames]
    assert torch.equal(_codes(generator, styled(style_at_s=1.0)), expected)


def test_style_place_codebooks_and_weight_of_the_text_are_all_heard(
    styled: Make, recipe: Make, generator: AudioCraftGenerator
) -> None:
    asked = {
        "usual": styled(style_at_s=0.0),
        "another song": styled("other", style_at_s=0.0),
        "another place": styled(style_at_s=2.0),
        "one codebook": styled(style_at_s=0.0, style_codebooks=1),
        "shorter": styled(style_at_s=0.0, style_excerpt_s=1.5),
        "text alike": styled(style_at_s=0.0, cfg_text=1.0),
        "no style": recipe("music-style", "heavy drums and brass", 0.5, 1, temperature=0.0),
    }
    found = {name: _codes(generator, one) for name, one in asked.items()}
    assert all(not torch.equal(found[one], found[other]) for one in found for other in found if one != other)


def test_a_take_finds_its_own_excerpt_whatever_its_company(
    styled: Make, recipe: Make, generator: AudioCraftGenerator
) -> None:
    """Takes of two and of three rows, from the start, carrying on and beyond the window, more than there are slots."""
    carried = {"prompt_s": 0.4, "conditioning": {"style": "song", "continue_from": "other"}}
    asked = [
        *(styled(seed=seed, temperature=1.0) for seed in (1, 2, 3)),
        styled("other", 4, 0.7),
        styled(seed=5, cfg_text=1.0),
        styled(seed=6, temperature=1.0, **carried),
        styled(seed=7, seconds=3.0, stride_s=1.2, temperature=1.0),
        *(styled(seed=seed, seconds=0.1 * seed, cfg_text=2.0, temperature=0.8) for seed in (8, 9, 10)),
        recipe("music-style", "heavy drums and brass", 0.6, 11),
    ]
    together = {one.digest: take for one, take in generator.generate(asked[::-1], AUDIO)}
    places = set()
    for one in asked:
        [(_, alone)] = generator.generate([one], AUDIO)
        company = together[one.digest]
        assert isinstance(alone, GeneratedTake)
        assert isinstance(company, GeneratedTake)
        assert alone.attachments == company.attachments
        np.testing.assert_array_equal(alone.clip.samples, company.clip.samples)
        assert alone.notes == company.notes
        assert (alone.notes["step"], alone.notes["rows"]) == ("cpu", 8)
        if "style" in one.conditioning:
            assert 0 <= alone.notes["style"]["at_s"] <= 2.0
            places.add(alone.notes["style"]["at_s"])
    assert len(places) == len(asked) - 1


def test_every_pass_beyond_the_window_hears_the_same_excerpt(
    styled: Make, generator: AudioCraftGenerator
) -> None:
    long = _codes(generator, styled(seconds=3.0, stride_s=1.2, style_at_s=1.0))
    assert long.shape[1] == 150
    assert not torch.equal(
        long, _codes(generator, styled("other", seconds=3.0, stride_s=1.2, style_at_s=1.0))
    )


def test_memory_that_three_rows_a_cue_run_out_of_halves_the_slots_and_loses_no_take(
    styled: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, tried = SlotCache.__init__, []

    def tight(self: SlotCache, weights: Any, slots: int, branches: int) -> None:
        tried.append((slots, branches))
        if slots * branches > 16:
            raise torch.OutOfMemoryError("CUDA out of memory")
        real(self, weights, slots, branches)

    monkeypatch.setattr(SlotCache, "__init__", tight)
    asked = [styled(seed=seed, seconds=0.2, cfg_text=1.0 + 4 * (seed % 2)) for seed in range(6)]
    made = {one.digest: take for one, take in AudioCraftGenerator("cpu").generate(asked, AUDIO)}
    assert tried == [(8, 2), (8, 3), (4, 3)]
    for one in asked:
        take = made[one.digest]
        assert isinstance(take, GeneratedTake)
        assert take.notes["rows"] == (8 if one.settings["cfg_text"] == 1 else 4)


def test_a_model_that_the_slots_do_not_do_goes_through_audiocrafts_own_layers_to_the_same_tokens(
    styled: Make,
) -> None:
    worker = AudioCraftGenerator("cpu")
    asked = [styled(seed=1), styled("other", 2, 0.3, temperature=1.0), styled(seed=3, cfg_text=1.0)]
    in_slots = {one.digest: take for one, take in worker.generate(asked, AUDIO)}
    [(key, model)] = worker._models.items()
    # A scale of 1 leaves the layer as it is.
    model.loaded.generator.lm.transformer.layers[0].layer_scale_1 = transformer.LayerScale(32, init=1.0)
    worker._models[key] = PreparedModel.of(model.loaded)
    for one, take in worker.generate(asked, AUDIO):
        before = in_slots[one.digest]
        assert isinstance(before, GeneratedTake)
        assert isinstance(take, GeneratedTake)
        assert (before.notes["step"], take.notes["step"]) == ("cpu", "batches")
        assert torch.equal(*(codec.unpack(each.attachments["codes"])[0] for each in (before, take)))


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({}, "the file has 2s, too little for an excerpt of 3s; use a longer file"),
        ({"style_excerpt_s": 1.5, "style_at_s": 1.0}, "too little for an excerpt of 1.5s at 1s"),
    ],
)
def test_a_file_too_short_fails_its_take_alone(
    changes: dict[str, Any], what: str, styled: Make, generator: AudioCraftGenerator
) -> None:
    bad, good = styled("short", **changes), styled()
    outcomes = {one.digest: outcome for one, outcome in generator.generate([bad, good], AUDIO)}
    assert isinstance(outcomes[good.digest], GeneratedTake)
    assert isinstance(outcomes[bad.digest], GenerationError)
    assert what in str(outcomes[bad.digest])


def test_a_record_says_what_was_heard(styled: Make, generator: AudioCraftGenerator, loaded: Load) -> None:
    [(_, take)] = generator.generate([styled(style_at_s=1.5)], AUDIO)
    assert isinstance(take, GeneratedTake)
    assert take.notes["style"] == {"at_s": 1.5, "seconds": 3.0}
    assert take.notes["sampling"]["cfg_text"] == 5.0
    assert take.notes["helpers"]["m-a-p/MERT-v1-95M"] == "beside the checkpoint"
    assert loaded("music-style").model.hears == {"continue_from", "style"}


def test_the_checkpoints_names_are_audiocrafts(published: dict[str, torch.Tensor]) -> None:
    layer = ("self_attn.in_proj_weight", "self_attn.out_proj.weight", "linear1.weight", "linear2.weight")
    norms = [f"norm{which}.{part}" for which in (1, 2) for part in ("weight", "bias")]
    book = ("inited", "cluster_size", "embed", "embed_avg")
    assert set(published) == {
        *(f"{part}.{what}" for part in ("embed", "output_proj") for what in ("weight", "bias")),
        *(f"batch_norm.{what}" for what in ("running_mean", "running_var", "num_batches_tracked")),
        *(f"transformer.layers.{index}.{what}" for index in range(4) for what in (*layer, *norms)),
        *(f"rvq.vq.layers.{index}._codebook.{what}" for index in range(6) for what in book),
    }


def test_a_checkpoint_without_its_mert_names_the_fetch(
    checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = copy_checkpoint(checkpoint("music-style"), tmp_path / "lonely")
    shutil.rmtree(folder / "MERT-v1-95M")
    stored = conversion.convert(folder, "local/lonely", None, None)
    with pytest.raises(
        MachineError, match=r"needs m-a-p/MERT-v1-95M, .* cuesmith models fetch m-a-p/MERT-v1-95M"
    ):
        load(stored.id, stored.revision, "cpu")


def test_code_in_merts_file_is_refused_and_never_runs(
    checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = copy_checkpoint(checkpoint("music-style"), tmp_path / "bad")
    torch.save({"x": MaliciousPickle(tmp_path / "it-ran")}, folder / "MERT-v1-95M" / "pytorch_model.bin")
    with pytest.raises(MachineError, match=r"pytorch_model\.bin: refused: it contains more than weights"):
        conversion.convert(folder, "local/bad", None, None)
    assert not (tmp_path / "it-ran").exists()


def test_another_mert_and_weights_that_do_not_fit_are_reported(tmp_path: Path) -> None:
    folder = write_mert(tmp_path / "mert")
    pickles.add_safetensors(folder, folder)
    said = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(said | {"feature_extractor_cqt": True}))
    with pytest.raises(MachineError, match="not MERT-v1-95M"):
        style.load_mert(folder, "cpu")
    (folder / "config.json").write_text(json.dumps(said | {"num_hidden_layers": 3}))
    with pytest.raises(MachineError, match=r"not MERT's \(no encoder\.layers\.2"):
        style.load_mert(folder, "cpu")
    (folder / "config.json").write_text(json.dumps(said | {"hidden_size": 16}))
    with pytest.raises(MachineError, match=r"not MERT's .*size mismatch"):
        style.load_mert(folder, "cpu")


def test_a_style_conditioner_that_musicgen_style_does_not_have_is_named(
    checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = copy_checkpoint(checkpoint("music-style"), tmp_path / "odd")
    package = torch.load(folder / "state_dict.bin", weights_only=True)
    package["xp.cfg"] = package["xp.cfg"].replace("model_name: mert", "model_name: encodec")
    torch.save(package, folder / "state_dict.bin")
    stored = conversion.convert(folder, "local/odd", None, None)
    assert stored.model is not None
    assert "style (without MERT" in str(stored.model.missing)


def test_models_without_a_style_have_no_style_conditioner(loaded: Load) -> None:
    assert style.style_conditioner(loaded("music-melody").generator) is None
    assert style.style_conditioner(loaded("music").generator) is None
