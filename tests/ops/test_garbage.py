"""A look for garbage is as long as what is new, and what becomes garbage later is found, too."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from ops.entrypoints import garbage as module
from ops.entrypoints.garbage import Garbage


class Ring:
    """Only a look finds that it is gone."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture
def garbage() -> Iterator[Garbage]:
    before = gc.get_threshold()
    garbage = Garbage()
    garbage.start()
    yield garbage
    garbage.stop()
    gc.set_threshold(*before)


async def test_what_survived_a_look_is_not_looked_at_again(garbage: Garbage) -> None:
    kept = [Ring() for _ in range(1_000)]
    gc.collect(0)
    assert len(gc.get_objects()) < 500, "what is left to look at"
    assert garbage.looks >= 1
    del kept


async def test_new_garbage_is_found_without_being_asked_for(garbage: Garbage) -> None:
    gone = weakref.ref(Ring())
    rings = [Ring() for _ in range(2 * module.NEW)]
    assert gone() is None
    del rings


async def test_what_a_herd_brings_is_put_aside_unseen_and_found_with_everything(
    garbage: Garbage, monkeypatch: pytest.MonkeyPatch
) -> None:
    went = [[] for _ in range(3 * module.NEW)]  # type: ignore[var-annotated]
    gc.freeze()
    kept, gone = [], weakref.ref(ring := Ring())
    del ring
    looks: list[int] = []
    gc.callbacks.append(lambda phase, info: looks.append(len(gc.get_objects())) if phase == "start" else None)
    try:
        garbage.newcomer()
        for _ in range(2 * module.HERD):
            for _ in range(module.NEW // module.HERD):
                kept.append([])
                if went:
                    went.pop()  # so that Python counts nothing
            garbage.newcomer()
    finally:
        gc.callbacks.pop()
    assert len(gc.get_objects()) <= module.NEW + 500
    assert all(look <= module.NEW + 500 for look in looks)
    assert gone() is not None
    assert garbage.looks >= 2
    monkeypatch.setattr(module, "AT_LAST", 1)
    garbage.think()
    assert gone() is None
    del kept


async def test_newcomers_who_come_singly_put_nothing_aside(garbage: Garbage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HERD_SECONDS", 0.0)
    gone = weakref.ref(Ring())
    for _ in range(3 * module.HERD):
        garbage.newcomer()
    gc.collect(0)
    assert gone() is None


async def test_what_becomes_garbage_later_is_found_when_it_is_quiet_or_at_last(
    garbage: Garbage, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = Ring()
    gone = weakref.ref(ring)
    gc.collect(0)
    del ring
    gc.collect(0)
    assert gone() is not None, "it was put aside"
    garbage.think()
    assert gone() is not None, "for so little it is not worth it"
    monkeypatch.setattr(module, "WORTH", 1)
    gc.collect(0)
    garbage.think()
    assert gone() is not None, "much is new at the moment"
    garbage.think()
    assert gone() is None
    assert garbage.looks == 0

    ring = Ring()
    gone = weakref.ref(ring)
    gc.collect(0)
    del ring
    monkeypatch.setattr(module, "AT_LAST", 1)
    garbage.think()
    assert gone() is None
