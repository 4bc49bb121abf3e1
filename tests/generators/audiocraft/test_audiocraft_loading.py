"""Checkpoints into the model store and out of it: nothing runs, nothing is fetched, nothing wrong is used."""

from __future__ import annotations

import errno
import json
import pickle
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hostile import MaliciousPickle
from safetensors import SafetensorError
from tiny_checkpoints import KINDS, copy_checkpoint

from pipeline.errors import GenerationError, MachineError, VerificationError
from pipeline.generators.audiocraft import checkpoints, conversion, generator
from pipeline.generators.audiocraft.generator import AudioCraftGenerator
from pipeline.generators.audiocraft.loading import load, load_codec
from pipeline.generators.audiocraft.model_store import STORE
from pipeline.generators.audiocraft.models import LOCAL_LICENSE
from pipeline.generators.model_store import StoreNotReady, added_local, sha256_of
from pipeline.recipe import Recipe

Folder = Callable[[str], Path]


def _spoil(tmp_path: Path, source: Path, package: Any) -> Path:
    folder = copy_checkpoint(source, tmp_path / "spoiled")
    torch.save(package, folder / "state_dict.bin")
    return folder


def test_a_malicious_pickle_is_refused_and_never_runs(
    tmp_path: Path, checkpoint: Folder, own_store: Path
) -> None:
    mark = tmp_path / "it-ran"
    folder = _spoil(tmp_path, checkpoint("music"), {"best_state": MaliciousPickle(mark), "xp.cfg": ""})
    with pytest.raises(
        MachineError, match=r"state_dict\.bin: refused: it contains more than weights"
    ) as caught:
        conversion.convert(folder, "local/spoiled", None, None)
    assert "\n" not in str(caught.value)
    assert not mark.exists()
    assert not list(own_store.rglob("model.json"))


def test_a_plain_malicious_pickle_is_refused_too(tmp_path: Path, checkpoint: Folder, own_store: Path) -> None:
    mark = tmp_path / "it-ran"
    folder = copy_checkpoint(checkpoint("music"), tmp_path / "spoiled")
    (folder / "state_dict.bin").write_bytes(pickle.dumps(MaliciousPickle(mark)))
    with pytest.raises(MachineError, match=r"state_dict\.bin"):
        conversion.convert(folder, "local/spoiled", None, None)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 840000000\n", "run git lfs pull"),
        (b"<!doctype html><title>404</title>", "not a torch checkpoint .*it begins with b'<!doctype ht'"),
    ],
)
def test_what_a_download_left_in_place_of_weights_is_reported_as_what_it_is(
    data: bytes, what: str, tmp_path: Path, checkpoint: Folder, own_store: Path
) -> None:
    folder = copy_checkpoint(checkpoint("music"), tmp_path / "spoiled")
    (folder / "compression_state_dict.bin").write_bytes(data)
    with pytest.raises(MachineError, match=rf"compression_state_dict\.bin: .*{what}"):
        conversion.convert(folder, "local/spoiled", None, None)


def test_a_torch_whose_safe_reading_has_holes_is_refused(
    checkpoint: Folder, own_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "__version__", "2.9.1+cu128")
    with pytest.raises(MachineError, match=r"torch 2\.9\.1\+cu128 cannot read weights safely"):
        conversion.convert(checkpoint("music"), "local/music", None, None)


@pytest.mark.parametrize("name", ["state_dict.bin", "compression_state_dict.bin"])
def test_a_missing_file_is_named(name: str, tmp_path: Path, checkpoint: Folder, own_store: Path) -> None:
    folder = copy_checkpoint(checkpoint("music"), tmp_path / "short")
    (folder / name).unlink()
    with pytest.raises(MachineError, match=f"has no {name}"):
        conversion.convert(folder, "local/short", None, None)


def test_a_file_cut_short_is_named(tmp_path: Path, checkpoint: Folder, own_store: Path) -> None:
    folder = copy_checkpoint(checkpoint("music"), tmp_path / "short")
    data = (folder / "state_dict.bin").read_bytes()
    (folder / "state_dict.bin").write_bytes(data[: len(data) // 2])
    with pytest.raises(
        MachineError, match=r"state_dict\.bin: not a readable torch checkpoint .* fetch it again"
    ):
        conversion.convert(folder, "local/short", None, None)


@pytest.mark.parametrize(
    ("config", "what"),
    [
        (
            "solver: compression\ncompression_model: encodec\n",
            "not a MusicGen, AudioGen or MAGNeT checkpoint",
        ),
        ("[1, 2]", "is not a mapping"),
        ("a: [", "no readable configuration"),
    ],
)
def test_another_kind_of_model_is_refused(
    config: str, what: str, tmp_path: Path, checkpoint: Folder, own_store: Path
) -> None:
    folder = _spoil(tmp_path, checkpoint("music"), {"best_state": {}, "xp.cfg": config})
    with pytest.raises(MachineError, match=what):
        conversion.convert(folder, "local/spoiled", None, None)


def test_weights_of_another_shape_are_refused(tmp_path: Path, checkpoint: Folder, own_store: Path) -> None:
    package = torch.load(checkpoint("music") / "state_dict.bin", weights_only=True)
    package["best_state"].pop("out_norm.weight")
    stored = conversion.convert(
        _spoil(tmp_path, checkpoint("music"), dict(package)), "local/spoiled", None, None
    )
    with pytest.raises(MachineError, match="its weights do not fit its configuration"):
        load(stored.id, stored.revision, "cpu")


def _without_tokenizer(folder: Path) -> None:
    for path in (folder / "t5-small").glob("*token*"):
        path.unlink()
    (folder / "t5-small" / "spiece.model").unlink(missing_ok=True)


def _without_encoder_weights(folder: Path) -> None:
    (folder / "t5-small" / "model.safetensors").unlink()


def _with_cut_encoder_weights(folder: Path) -> None:
    path = folder / "t5-small" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def _with_model_for_codec(folder: Path) -> None:
    shutil.copy(folder / "state_dict.bin", folder / "compression_state_dict.bin")


def _with_codec_of_fewer_codes(folder: Path) -> None:
    package = dict(torch.load(folder / "compression_state_dict.bin", weights_only=True))
    package["xp.cfg"] = package["xp.cfg"].replace("bins: 64", "bins: 32")
    package["best_state"] = {
        key: value[:32] if "_codebook." in key and value.ndim and len(value) == 64 else value
        for key, value in package["best_state"].items()
    }
    torch.save(package, folder / "compression_state_dict.bin")


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (_without_tokenizer, "its text encoder t5-small has no tokenizer; put spiece.model"),
        (_without_encoder_weights, "do not fit its configuration .*no file named model.safetensors"),
        (_with_cut_encoder_weights, "do not fit its configuration .*incomplete metadata"),
        (_with_model_for_codec, "do not fit its configuration .*Missing key compression_model"),
        (_with_codec_of_fewer_codes, r"its codec belongs to another model \(4 codebooks of 32"),
    ],
)
def test_a_part_that_is_not_whole_is_reported_in_one_line(
    spoil: Callable[[Path], None], what: str, tmp_path: Path, checkpoint: Folder, own_store: Path
) -> None:
    folder = copy_checkpoint(checkpoint("music"), tmp_path / "spoiled")
    spoil(folder)
    stored = conversion.convert(folder, "local/spoiled", None, None)
    with pytest.raises(MachineError, match=what) as caught:
        load(stored.id, stored.revision, "cpu")
    assert "\n" not in str(caught.value)


def test_a_codec_alone_that_does_not_fit_is_reported_alike(
    tmp_path: Path, checkpoint: Folder, own_store: Path
) -> None:
    folder = copy_checkpoint(checkpoint("music"), tmp_path / "spoiled")
    _with_model_for_codec(folder)
    stored = conversion.convert(folder, "local/spoiled", None, None)
    with pytest.raises(MachineError, match="do not fit its configuration"):
        load_codec(stored.id, stored.revision, "cpu")


def test_of_many_names_that_do_not_fit_the_first_is_reported(
    tmp_path: Path, checkpoint: Folder, own_store: Path
) -> None:
    package = torch.load(checkpoint("music") / "state_dict.bin", weights_only=True)
    package["best_state"] = {f"lm.{key}": value for key, value in package["best_state"].items()}
    stored = conversion.convert(
        _spoil(tmp_path, checkpoint("music"), dict(package)), "local/spoiled", None, None
    )
    with pytest.raises(MachineError, match=r'Missing key\(s\) in state_dict: "[\w.]+" and \d+ more\)'):
        load(stored.id, stored.revision, "cpu")


@pytest.mark.parametrize("window", ["0", "-2", ".nan", ".inf"])
def test_a_window_that_is_no_length_is_refused(
    window: str, tmp_path: Path, checkpoint: Folder, own_store: Path
) -> None:
    package = dict(torch.load(checkpoint("music") / "state_dict.bin", weights_only=True))
    package["xp.cfg"] = package["xp.cfg"].replace("segment_duration: 2", f"segment_duration: {window}")
    with pytest.raises(MachineError, match="its configuration has a window of"):
        conversion.convert(_spoil(tmp_path, checkpoint("music"), package), "local/spoiled", None, None)


@pytest.mark.parametrize("written", ["${oc.env:SECRET}", "${no.such.key}", "[1, 2]"])
def test_a_licence_that_is_no_text_says_nothing_and_reads_no_environment(
    written: str, tmp_path: Path, checkpoint: Folder, own_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    package = dict(torch.load(checkpoint("music") / "state_dict.bin", weights_only=True))
    package["xp.cfg"] += f"\nlicense: {written}\n"
    stored = conversion.convert(_spoil(tmp_path, checkpoint("music"), package), "local/spoiled", None, None)
    assert stored.model is not None
    assert stored.model.license == LOCAL_LICENSE


def test_a_file_that_changed_is_refused(checkpoint: Folder, own_store: Path) -> None:
    stored = conversion.convert(checkpoint("music"), "local/music", None, None)
    weights = stored.folder / "lm.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(VerificationError, match="the file changed"):
        STORE.verify(stored)
    with pytest.raises(MachineError, match="the file changed") as caught:
        load(stored.id, stored.revision, "cpu")
    assert caught.value.exit_code == 4


def test_weights_that_are_not_here_are_named_with_the_command(own_store: Path) -> None:
    with pytest.raises(MachineError, match="run: cuesmith models fetch facebook/musicgen-small") as caught:
        load("facebook/musicgen-small", "4c8334b", "cpu")
    assert caught.value.exit_code == 4


def test_a_text_encoder_that_is_nowhere_is_named(tmp_path: Path, checkpoint: Folder, own_store: Path) -> None:
    folder = copy_checkpoint(checkpoint("music"), tmp_path / "alone")
    shutil.rmtree(folder / "t5-small")
    stored = conversion.convert(folder, "local/alone", None, None)
    with pytest.raises(MachineError, match=r"needs t5-small, .* cuesmith models fetch t5-small"):
        load(stored.id, stored.revision, "cpu")


@pytest.mark.parametrize(
    ("part", "error"),
    [
        ("shutil.copytree", OSError(errno.ENOSPC, "No space left on device")),
        ("shutil.copytree", shutil.Error([("a", "b", "[Errno 28] No space left on device: '/b'")])),
        (
            "pipeline.generators.pickles.save_file",
            SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
        ),
    ],
)
def test_a_full_disk_is_reported_and_leaves_nothing(
    part: str, error: Exception, checkpoint: Folder, own_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(part, full)
    with pytest.raises(
        StoreNotReady, match="No space left on device; free space, or set CUESMITH_MODELS"
    ) as caught:
        conversion.convert(checkpoint("music"), "local/music", None, None)
    assert "\n" not in str(caught.value)
    assert "Errno" not in str(caught.value)
    assert not [path for path in own_store.rglob("*") if path.is_file()]


def test_a_device_that_is_not_here_is_reported() -> None:
    if torch.cuda.is_available():
        pytest.skip("a CUDA device is here")
    with pytest.raises(MachineError, match=r"sees no CUDA device; .* use --devices cpu") as caught:
        AudioCraftGenerator("cuda:0")
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_arrives_as_it_was_written(
    kind: str, checkpoint: Folder, loaded: Callable[[str], Any]
) -> None:
    model = loaded(kind).generator
    written = torch.load(checkpoint(kind) / "state_dict.bin", weights_only=True)["best_state"]
    found = model.lm.state_dict()
    for name, value in written.items():
        # AudioCraft writes a plain attention's weights without the name of torch's module within.
        here = found.get(name, found.get(name.replace("attn.", "attn.mha.")))
        assert here is not None, name
        assert torch.equal(here, value)


def test_loading_and_generating_open_no_socket(
    loaded: Callable[[str], Any], recipe: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [recipe(kind, seconds=0.2) for kind in ("music", "music-melody", "music-hf-codec", "magnet")]

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    made = list(AudioCraftGenerator("cpu").generate(asked, {}))
    assert not [take for _, take in made if isinstance(take, GenerationError)]


def test_a_model_is_loaded_once_a_worker(
    recipe: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[str] = []
    monkeypatch.setattr(generator, "load", lambda *key: loads.append(key[0]) or load(*key))
    worker = AudioCraftGenerator("cpu")
    for seed in range(3):
        assert len(list(worker.generate([recipe("music", seed=seed), recipe("sfx", seed=seed)], {}))) == 2
    assert sorted(loads) == ["local/music", "local/sfx"]


def test_the_store_says_what_lies_in_it(checkpoint: Folder, own_store: Path) -> None:
    stored = conversion.convert(checkpoint("music"), "local/music", None, None)
    assert STORE.all_stored() == ([stored], [])
    assert stored.files["lm.safetensors"] == sha256_of(stored.folder / "lm.safetensors")
    assert stored.sources["state_dict.bin"] == sha256_of(checkpoint("music") / "state_dict.bin")
    assert stored.revision == f"sha256:{stored.checkpoint_sha256}"
    assert not list(stored.folder.rglob("*.bin"))


@pytest.mark.parametrize(
    "written", ["", "{", "[]", '{"schema": "cuesmith.model/1"}', '{"schema": "cuesmith.model/9"}']
)
def test_a_record_that_cannot_be_read_hides_no_other_model(
    written: str, checkpoint: Folder, own_store: Path
) -> None:
    stored = conversion.convert(checkpoint("music"), "local/music", None, None)
    broken = conversion.convert(checkpoint("sfx"), "local/sfx", None, None)
    (broken.folder / "model.json").write_text(written)
    found, faults = STORE.all_stored()
    assert found == [stored]
    assert [str(broken.folder) in str(fault) for fault in faults] == [True]
    with pytest.raises(MachineError, match="remove"):
        STORE.require(broken.id, broken.revision)


def test_a_folder_is_known_by_its_content_wherever_it_lies(
    tmp_path: Path, checkpoint: Folder, own_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def here(folder: Path, model_id: str) -> str:
        asked.append(folder)
        return conversion.convert(folder, model_id, None, None).revision

    monkeypatch.setattr(checkpoints, "_convert", here)
    added_local.cache_clear()
    one = copy_checkpoint(checkpoint("music"), tmp_path / "a" / "tune")
    other = copy_checkpoint(one, tmp_path / "b" / "tune")
    first, second = checkpoints.read_folder(str(one)), checkpoints.read_folder(str(other))
    assert first == second
    assert first.id == "local/tune"
    assert str(tmp_path) not in json.dumps([first.id, first.revision])
    added_local.cache_clear()
    assert checkpoints.read_folder(str(one)) == first
    assert asked == [one, other]
    added_local.cache_clear()


@pytest.mark.parametrize("data", [b"\0" * 1000, b"ustar" * 300, b"", b"PK\x03\x04", b"\x80\x02\x82\x01."])
def test_bytes_of_any_kind_are_one_line_without_torchs_advice(
    data: bytes, tmp_path: Path, checkpoint: Folder, own_store: Path
) -> None:
    folder = copy_checkpoint(checkpoint("music"), tmp_path / "odd")
    (folder / "state_dict.bin").write_bytes(data)
    with pytest.raises(MachineError) as caught:
        conversion.convert(folder, "local/odd", None, None)
    assert "\n" not in str(caught.value)
    assert "Re-running" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_weights_that_do_not_fit_say_which(tmp_path: Path, checkpoint: Folder, own_store: Path) -> None:
    folder = copy_checkpoint(checkpoint("music"), tmp_path / "deep")
    package = torch.load(folder / "state_dict.bin", weights_only=True)
    package["xp.cfg"] = package["xp.cfg"].replace("num_layers: 2", "num_layers: 1")
    torch.save(package, folder / "state_dict.bin")
    stored = conversion.convert(folder, "local/deep", None, None)
    with pytest.raises(
        MachineError, match=r"do not fit its configuration .Unexpected key.*transformer\.layers\.1"
    ):
        load(stored.id, stored.revision, "cpu")


def test_a_local_model_that_changed_is_not_to_be_fetched(checkpoint: Folder, own_store: Path) -> None:
    stored = conversion.convert(checkpoint("music"), "local/music", None, None)
    (stored.folder / "codec.json").unlink()
    with pytest.raises(
        VerificationError, match=r"missing; remove .* and build again from the folder"
    ) as caught:
        STORE.verify(stored)
    assert "fetch" not in str(caught.value)
