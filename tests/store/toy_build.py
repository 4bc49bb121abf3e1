"""A build in small: objects, their records, a version, a pointer, a journal.

``toy_build.py ROOT TAKES`` prints how many takes it had to make. What one take is comes from its number
alone, so a second run knows what is there: a take whose record and whose object are.
"""

from __future__ import annotations

import sys

from pipeline.store import ObjectRef, Store, dump_record


def take_bytes(number: int) -> bytes:
    return bytes([number]) * (3000 + number)


def digest(number: int) -> str:
    return f"{number:064x}"


def make_take(store: Store, number: int) -> bool:
    record = store.get_record("takes", digest(number), "cuesmith.take/1")
    if record is not None and store.has(ObjectRef.from_json(record["audio"])):
        return False
    ref = store.put(take_bytes(number), ".flac")
    store.put_record("takes", digest(number), {"schema": "cuesmith.take/1", "audio": ref.to_json()})
    store.backend.append("runs/toy/journal.jsonl", b'{"take": %d, "pad": "%s"}' % (number, b"x" * 300))
    return True


def publish(store: Store, takes: int) -> None:
    masters = [store.get_record("takes", digest(number), "cuesmith.take/1") for number in range(takes)]
    version = dump_record(
        {"schema": "cuesmith.catalog/1", "masters": [master["audio"] for master in masters if master]}
    )
    number = 1
    while not store.backend.create(f"catalog/{number:06d}/catalog.json", version):
        if store.backend.read(f"catalog/{number:06d}/catalog.json") == version:
            break
        number += 1
    pointer = {"schema": "cuesmith.channel/1", "version": number}
    store.backend.write("channels/latest.json", dump_record(pointer))


def build(root: str, takes: int) -> int:
    store = Store.open(root)
    with store.shared():
        made = sum([make_take(store, number) for number in range(takes)])
        publish(store, takes)
    return made


if __name__ == "__main__":
    print(build(sys.argv[1], int(sys.argv[2])))
