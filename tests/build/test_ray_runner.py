"""Which nodes of a Ray cluster may take part in a build; `tests/flows/test_ray.py` builds on real ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline import __version__
from pipeline.build.ray_runner import RayRunner, _Place, _unfit
from pipeline.store import Store


def test_a_node_must_see_the_store_and_have_the_same_version(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "outputs")
    with RayRunner(store, None) as runner:
        place = _Place(store.root, "cuda", runner._mark, __version__, 30)
        assert _unfit(place) is None
        assert "it has cuesmith" in str(_unfit(replace(place, version="0.0.1")))
        elsewhere = _unfit(replace(place, outputs=str(tmp_path / "not mounted")))
        assert elsewhere is not None
        assert "does not see the files of" in elsewhere
        assert "mount that folder" in elsewhere
    assert list(store.backend.list("tmp")) == []
