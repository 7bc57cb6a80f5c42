from registry.core.rates import Rate
from registry.infra.limits.memory import MemoryWindows
from registry.infra.limits.model import Kind


def test_of_too_many_windows_the_oldest_of_their_class_is_forgotten() -> None:
    now = [0.0]
    windows = MemoryWindows(lambda: now[0], keys=3)
    windows.charge(Kind.AUTH, "a", Rate(5, 60))
    for key in ("a", "b", "c"):
        windows.charge(Kind.TRANSFER, key, Rate(5, 4))
    now[0] = 5
    for key in ("a", "d"):
        windows.charge(Kind.TRANSFER, key, Rate(5, 4))
    assert list(windows._windows[Kind.TRANSFER]) == ["c", "a", "d"]
    assert windows.peek(Kind.AUTH, "a", Rate(5, 60)).remaining == 4


def test_what_was_counted_is_gone_after_the_end() -> None:
    windows = MemoryWindows(lambda: 0.0)
    windows.charge(Kind.AUTH, "a", Rate(5, 60))
    windows.close()
    assert windows.peek(Kind.AUTH, "a", Rate(5, 60)).remaining == 5
