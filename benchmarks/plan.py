"""How long and how much."""

from dataclasses import dataclass

MIB = 1024 * 1024
GIB = 1024 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The size of a run.

    `seconds` is the length of one sample under load, `scale` shortens everything that is counted in pieces,
    `budget` is the number of seconds after which no further row begins.
    """

    rounds: int = 5
    seconds: float = 2.0
    scale: float = 1.0
    manifests: int = 50_000
    swept: int = 100_000
    growth: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    connections: int = 32
    budget: float = 48 * 60.0

    def pieces(self, count: int) -> int:
        """This many pieces, scaled; at least one."""
        return max(1, round(count * self.scale))


FULL = Plan()
QUICK = Plan(rounds=2, seconds=0.6, scale=0.25, manifests=2_000, swept=2_000, growth=(1_000, 20_000), budget=150.0)
