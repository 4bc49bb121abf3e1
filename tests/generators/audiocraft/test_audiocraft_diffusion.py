"""MultiBand Diffusion: weights from a file with objects in it that are never made, AudioCraft's own decoding, one's own
noise."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from omegaconf import DictConfig, OmegaConf
from tiny_diffusion import write_diffusion

from pipeline.audio import Clip
from pipeline.errors import MachineError
from pipeline.generators import GeneratedTake, StoredTake, pickles
from pipeline.generators.audiocraft import codec, conversion
from pipeline.generators.audiocraft.audiocraft_modules import loaders, models, multibanddiffusion
from pipeline.generators.audiocraft.engine import ENGINE
from pipeline.generators.audiocraft.generator import AudioCraftGenerator
from pipeline.generators.audiocraft.loading import Loaded
from pipeline.generators.audiocraft.model_store import StoredModel
from pipeline.generators.audiocraft.rendering import DIFFUSION_PASS, MultiBandDecoder
from pipeline.generators.audiocraft.sampling import noise_keys, normal_noise
from pipeline.generators.pickles import read_pickle
from pipeline.recipe import Recipe

Make = Callable[..., Recipe]
TUNE = Clip(np.sin(2 * np.pi * 220 * np.arange(32_000) / 32_000).astype(np.float32)[None] * 0.5, 32_000)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_diffusion(tmp_path_factory.mktemp("mbd") / "multiband-diffusion")


@pytest.fixture(scope="module")
def stored(published: Path, model_store: Path) -> StoredModel:
    return conversion.import_folder(published.parent, "local/multiband-diffusion")


@pytest.fixture(scope="module")
def mbd(stored: StoredModel, recipe: Make) -> Make:
    """A recipe that MultiBand Diffusion decodes."""
    weights = f"{stored.id}@{stored.revision}"
    return lambda *args, **changes: recipe(*args, **{"decoder": "mbd", "decoder_weights": weights, **changes})


def _take(generator: AudioCraftGenerator, recipe: Recipe) -> GeneratedTake:
    [(_, take)] = generator.generate([recipe], {"tune": TUNE})
    assert isinstance(take, GeneratedTake), take
    return take


def test_the_file_holds_objects_that_plain_weights_may_not(published: Path) -> None:
    with pytest.raises(MachineError, match="refused: it contains more than weights"):
        read_pickle(published)


def test_the_configuration_is_read_without_making_an_object_of_it(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = torch.load(published, weights_only=False)
    for name in ("__init__", "__setstate__"):
        monkeypatch.setattr(DictConfig, name, None)
    found = read_pickle(published, pickles.OMEGACONF_NAMES)
    plain = [pickles.to_plain(found[band]["cfg"]) for band in range(2)]
    monkeypatch.undo()
    assert plain == [OmegaConf.to_container(whole[band]["cfg"], resolve=False) for band in range(2)]
    assert torch.equal(found[0]["processor_state"]["sum_x"], whole[0]["processor_state"]["sum_x"])


def test_every_weight_arrives_as_it_was_written(
    published: Path, stored: StoredModel, loaded: Callable[[str], Loaded]
) -> None:
    whole = torch.load(published, weights_only=False)
    bands = MultiBandDecoder(stored, loaded("music").generator.compression_model, "cpu")._model.DPs
    for band, process in enumerate(bands):
        for module, part in (
            (process.model, "model_state"),
            (process.schedule.sample_processor, "processor_state"),
        ):
            written = whole[band][part]
            assert set(module.state_dict()) == set(written)
            assert all(torch.equal(value, written[key]) for key, value in module.state_dict().items())


class _Payload:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f"touch {self.mark}",))


@pytest.mark.parametrize("place", ["cfg", "model_state", "processor_state", "inside", "metadata", "beside"])
@pytest.mark.parametrize("zipped", [True, False])
def test_code_anywhere_in_the_file_is_refused_and_never_runs(
    place: str, zipped: bool, published: Path, tmp_path: Path
) -> None:
    mark = tmp_path / "it-ran"
    package = torch.load(published, weights_only=False)
    config = package[0]["cfg"]
    if place == "inside":
        config._content["solver"]._val = _Payload(mark)
    elif place == "metadata":
        config._metadata.flags = {"x": _Payload(mark)}
    elif place == "beside":
        package["also"] = _Payload(mark)
    else:
        package[0][place] = _Payload(mark)
    torch.save(package, tmp_path / published.name, _use_new_zipfile_serialization=zipped)
    with pytest.raises(
        MachineError, match=r"mbd_musicgen_32khz\.th: refused: it contains more than weights"
    ) as caught:
        conversion.convert_mbd(tmp_path, "local/bad", None)
    assert "\n" not in str(caught.value)
    assert not mark.exists()


def test_a_name_of_omegaconf_does_nothing_however_it_is_called(tmp_path: Path) -> None:
    class Called:
        def __init__(self, name: str) -> None:
            self.name = name

        def __reduce__(self) -> Any:
            module, _, name = self.name.rpartition(".")
            kind = getattr(__import__(module, fromlist=[name]), name)
            return (kind, ({"a": 1},), {"_content": {"b": 2}})

    torch.save({"x": Called("omegaconf.dictconfig.DictConfig")}, tmp_path / "a.th")
    assert pickles.to_plain(read_pickle(tmp_path / "a.th", pickles.OMEGACONF_NAMES)["x"]) == {"b": 2}


def test_a_tree_without_end_is_refused() -> None:
    loop = pickles.Container()
    loop.__setstate__({"_content": {"x": loop}})
    with pytest.raises(ValueError, match="too deep"):
        pickles.to_plain(loop)
    branch: Any = [1] * 10
    for _ in range(8):
        branch = [branch] * 10
    with pytest.raises(ValueError, match="too many values"):
        pickles.to_plain(branch)


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda one: one.pop("n_bands"), "no sample_rate and n_bands"),
        (lambda one: one.update(n_bands=9), "no band 2"),
        (lambda one: one[1].pop("cfg"), "band 1 has no configuration"),
        (lambda one: one[1].update(model_state={"a": "b"}), "band 1 has no model_state of tensors"),
    ],
)
def test_another_kind_of_file_is_named(damage: Any, why: str, published: Path, tmp_path: Path) -> None:
    package = torch.load(published, weights_only=False)
    damage(package)
    torch.save(package, tmp_path / published.name)
    with pytest.raises(MachineError, match=f"not the diffusion models that AudioCraft publishes .*{why}"):
        conversion.convert_mbd(tmp_path, "local/bad", None)


@contextmanager
def _numbers_of(seed: int) -> Iterator[None]:
    """torch's noise made with a take's own numbers: call by call, as AudioCraft comes to them."""
    calls = 0

    def randn_like(like: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return normal_noise(noise_keys([seed], [DIFFUSION_PASS], "cpu"), calls, like.shape[1:])

    with patch.object(torch, "randn_like", randn_like):
        yield


def test_audio_equals_audiocrafts_own_on_the_same_numbers(
    published: Path, mbd: Make, generator: AudioCraftGenerator, loaded: Callable[[str], Loaded]
) -> None:
    take = _take(generator, mbd("music", "calm", 0.6, 5))
    own_codec = loaded("music").generator.compression_model
    whole = torch.load(published, weights_only=False)
    with (
        patch.object(loaders, "_get_state_dict", lambda *_, **__: whole),
        patch.object(multibanddiffusion, "load_compression_model", lambda *_, **__: own_codec),
    ):
        stock = models.MultiBandDiffusion.get_mbd_musicgen(device="cpu")
    codes, _ = codec.unpack(take.attachments["codes"])
    with _numbers_of(5), torch.no_grad():
        expected = stock.tokens_to_wav(codes[None])[0].numpy()
    np.testing.assert_array_equal(take.clip.samples, expected[:, : take.clip.length])
    assert np.abs(take.clip.samples).max() > 1e-3


def test_a_take_belongs_to_its_recipe_alone_and_its_codes_are_encodecs(
    mbd: Make, recipe: Make, generator: AudioCraftGenerator
) -> None:
    asked = [
        mbd("music", "calm", 0.5, 1),
        mbd("music", "heavy drums and brass, battle theme", 0.7, 2),
        recipe("music", "calm", 0.5, 1),
    ]
    together = {one.digest: take for one, take in generator.generate(asked[::-1], {})}
    for one in asked:
        found = together[one.digest]
        assert isinstance(found, GeneratedTake)
        np.testing.assert_array_equal(found.clip.samples, _take(generator, one).clip.samples)
    diffused, plain = together[asked[0].digest], together[asked[2].digest]
    assert isinstance(diffused, GeneratedTake)
    assert isinstance(plain, GeneratedTake)
    assert diffused.attachments == plain.attachments
    assert diffused.clip.length == plain.clip.length
    assert not np.allclose(diffused.clip.samples, plain.clip.samples)


@pytest.mark.parametrize("carries_on", [False, True])
@pytest.mark.parametrize("kind", ["music", "music-hf-codec"])
def test_another_decoder_needs_no_language_model_and_gives_the_same_bits(
    kind: str,
    carries_on: bool,
    mbd: Make,
    recipe: Make,
    generator: AudioCraftGenerator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    how: dict[str, Any] = {"prompt_s": 0.4, "conditioning": {"continue_from": "tune"}} if carries_on else {}
    plain, diffused = recipe(kind, "calm", 0.5, 3, **how), mbd(kind, "calm", 0.5, 3, **how)
    assert ENGINE.origin(diffused) == plain == ENGINE.origin(plain)
    takes = {one.digest: _take(generator, one) for one in (plain, diffused)}
    monkeypatch.setattr(loaders, "load_lm_model", None)
    for asked, source in ((diffused, plain), (plain, diffused)):
        earlier, expected = takes[source.digest], takes[asked.digest]
        kept = StoredTake(source.digest, earlier.attachments, earlier.notes)
        made = AudioCraftGenerator("cpu").redecode(asked, kept)
        np.testing.assert_array_equal(made.clip.samples, expected.clip.samples)
        assert made.attachments == expected.attachments
        assert {**made.notes, "codes_of": None} == {**expected.notes, "codes_of": None}
        assert made.notes["codes_of"] == source.digest


def test_a_record_names_the_diffusion_models(
    mbd: Make, generator: AudioCraftGenerator, stored: StoredModel
) -> None:
    notes = _take(generator, mbd("music", seconds=0.3)).notes
    assert notes["decoder"] == "mbd"
    assert notes["decoder_checkpoint"]["sha256"] == stored.checkpoint_sha256
    assert notes["decoder_checkpoint"]["revision"] == stored.revision
    assert notes["decoder_checkpoint"]["license"] == "unknown (a local checkpoint)"


def test_a_take_too_large_for_diffusion_fails_alone(
    mbd: Make, recipe: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def runs_out(self: MultiBandDecoder, codes: torch.Tensor, seed: int) -> torch.Tensor:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(MultiBandDecoder, "decode", runs_out)
    asked = [mbd("music", "calm", 0.4, 1), recipe("music", "calm", 0.4, 2), recipe("music", "calm", 0.4, 3)]
    outcomes = {one.digest: outcome for one, outcome in AudioCraftGenerator("cpu").generate(asked, {})}
    assert "too little memory for this take alone" in str(outcomes[asked[0].digest])
    assert all(isinstance(outcomes[one.digest], GeneratedTake) for one in asked[1:])


def test_missing_damaged_and_unfit_weights_are_reported(
    mbd: Make,
    recipe: Make,
    tmp_path: Path,
    published: Path,
    monkeypatch: pytest.MonkeyPatch,
    model_store: Path,
) -> None:
    worker = AudioCraftGenerator("cpu")
    absent = mbd("music", decoder_weights="facebook/multiband-diffusion@abc")
    with pytest.raises(MachineError, match="run: cuesmith models fetch facebook/multiband-diffusion"):
        list(worker.generate([absent], {}))
    other = write_diffusion(tmp_path / "other", codec_dim=24, seed=2)
    unfit = conversion.import_folder(other.parent, "local/unfit")
    with pytest.raises(
        MachineError, match=r"are for another codec .32000 Hz, latents of size 24; the model's codec has"
    ):
        list(worker.generate([mbd("music", decoder_weights=f"local/unfit@{unfit.revision}")], {}))
    weights = unfit.folder / "bands.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(MachineError, match="the file changed"):
        list(
            AudioCraftGenerator("cpu").generate(
                [mbd("music", decoder_weights=f"local/unfit@{unfit.revision}")], {}
            )
        )
    shutil.rmtree(unfit.folder)
    package = torch.load(published, weights_only=False)
    package[0]["model_state"].popitem()
    (tmp_path / "short").mkdir()
    torch.save(package, tmp_path / "short" / published.name)
    short = conversion.import_folder(tmp_path / "short", "local/short")
    with pytest.raises(MachineError, match="do not fit its configuration"):
        list(worker.generate([mbd("music", decoder_weights=f"local/short@{short.revision}")], {}))
