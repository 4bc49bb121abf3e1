"""One of many people at one store: reviews and builds in turn. Run as ``crowd.py MANIFEST OUTPUTS NAME ROUNDS``."""

from __future__ import annotations

import random
import sys
from pathlib import Path

from quick import build_prepared
from reviewing import add

from pipeline.build.prepare import BuildRequest, prepare
from pipeline.catalog import Catalog, Filter, ReviewAction, Reviews
from pipeline.provenance.clock import now
from pipeline.review import Decision, decide
from pipeline.store import Store

WORDS: tuple[ReviewAction, ...] = ("approve", "approve", "reject", "comment", "reroll")
EVENTS_A_ROUND = 5


def main(manifest: str, outputs: str, name: str, rounds: int) -> None:
    """Review five masters, change the mind about what the manifest should say, and build; ``rounds`` times."""
    chance = random.Random(name)
    store = Store.open(outputs)
    for number in range(rounds):
        version = Catalog(store).latest()
        assert version is not None
        for count in range(EVENTS_A_ROUND):
            row = chance.choice(version.masters)
            comment = f"{name} {number} {count} " + "x" * chance.randrange(3000)
            decision = Decision(chance.choice(WORDS), name, now(), comment)
            chosen = Filter(row["asset"], row["variation"])
            [event] = decide(version, chosen, decision, waiting="waiting" in row)
            add(Reviews(store), event)
        profile = chance.choice([None, "quiet"])
        build_prepared(prepare(BuildRequest(Path(manifest), outputs, profile)))


if __name__ == "__main__":
    main(*sys.argv[1:4], rounds=int(sys.argv[4]))
