"""The gates on the studio set: both halves, whatever a game has in it."""

import pytest
from studio_faults import Sound
from studio_set import broken, good

from pipeline.quality import duplicate, fingerprint, limits_of, score


def closed(sound: Sound) -> set[str]:
    report = score(sound, limits_of(sound.kind))  # type: ignore[arg-type]
    names = {failure.name for failure in report.failures}
    if sound.other is None:
        return names
    others = [("the other", fingerprint(sound.other))]
    return names | (
        {"duplicate"} if duplicate(fingerprint(sound.clip), others, limits_of("music")) else set()
    )


@pytest.mark.slow
@pytest.mark.parametrize("sealed", [False, True], ids=["open", "sealed"])
def test_precision_and_recall_on_a_half_are_at_least_98_percent(sealed: bool) -> None:
    accused = [sound.base for sound in good(sealed) if closed(sound)]
    closed_gates = [(sound.fault, sound.base, closed(sound)) for sound in broken(sealed)]
    detected = [fault for fault, _, names in closed_gates if names]
    assert len(detected) >= 0.98 * len(closed_gates), [missed[:2] for missed in closed_gates if not missed[2]]
    assert len(detected) >= 0.98 * (len(detected) + len(accused)), accused
