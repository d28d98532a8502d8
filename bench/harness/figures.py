"""Figures of several rounds, and what they must reach."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Goal:
    """A ratio that must be reached (`at_least`), or kept below."""

    text: str
    value: float
    limit: float
    at_least: bool = True

    @property
    def reached(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit


@dataclass
class Row:
    """One kind of work, and what each side made of it in each round."""

    key: str
    title: str
    unit: str
    note: str = ""
    figures: dict[str, list[float]] = field(default_factory=dict)
    goals: list[Goal] = field(default_factory=list)

    def add(self, side: str, figure: float) -> None:
        self.figures.setdefault(side, []).append(figure)

    def median(self, side: str) -> float:
        return statistics.median(self.figures[side])

    def spread(self, side: str) -> float:
        """From the lowest to the highest, as a share of the median."""
        figures = self.figures[side]
        return (max(figures) - min(figures)) / self.median(side) if self.median(side) else 0.0

    def ratio(self, side: str, to: str) -> float:
        """The median of the rounds' ratios: both sides of a round met the same machine."""
        pairs = zip(self.figures[side], self.figures[to], strict=True)
        return statistics.median(a / b for a, b in pairs)

    def want(self, side: str, to: str, at_least: float) -> None:
        """At least so many times what the other side makes."""
        if side in self.figures and to in self.figures:
            self.goals.append(Goal(f"{at_least:g} × {to}", self.ratio(side, to), at_least))

    def want_at_most(self, text: str, value: float, limit: float) -> None:
        self.goals.append(Goal(text, value, limit, at_least=False))


def interleave(rounds: int, sides: dict[str, Callable[[], float]], row: Row, say: Callable[[str], None]) -> None:
    """Lets each side do its work once in each round; each round begins with another side."""
    names = list(sides)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            figure = sides[name]()
            row.add(name, figure)
            say(f"{row.key:20} round {number + 1}/{rounds}  {name:24} {figure:14,.1f} {row.unit}")
