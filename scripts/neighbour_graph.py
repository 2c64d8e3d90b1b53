"""A probe and its neighbours as lines of text: the causes on the left, what fails because of it on the right."""

from __future__ import annotations

from collections.abc import Sequence

# the letter that joins lines to these sides: up, down, left, right
JOINTS = {
    (False, False, True, True): "─", (True, True, False, False): "│", (True, True, True, True): "┼",
    (False, True, True, False): "┐", (True, False, True, False): "┘", (True, True, True, False): "┤",
    (False, True, False, True): "┌", (True, False, False, True): "└", (True, True, False, True): "├",
    (False, True, True, True): "┬", (True, False, True, True): "┴",
}  # fmt: skip


def graph(causes: Sequence[str], name: str, effects: Sequence[str]) -> list[str]:
    """The lines; the name itself stands in the middle one."""
    rows = max(len(causes), len(effects), 1)
    middle = (rows - 1) // 2
    left, right = _placed(causes, rows), _placed(effects, rows)
    width = max(map(len, causes), default=0)
    lines = []
    for row in range(rows):
        begin = ""
        if causes:
            label = left.get(row, "")
            line = f"{label} {'─' * (width - len(label) + 1)}" if label else " " * (width + 2)
            begin = line + _joint(row, middle, left, named_left=True) + ("─▶ " if row == middle else "   ")
        centre = name if row == middle else " " * len(name)
        end = ""
        if effects:
            end = (" ─" if row == middle else "  ") + _joint(row, middle, right, named_left=False)
            end += f"─▶ {right[row]}" if row in right else ""
        lines.append((begin + centre + end).rstrip())
    return lines


def _placed(names: Sequence[str], rows: int) -> dict[int, str]:
    """The names by their row, around the middle one."""
    first = (rows - len(names)) // 2
    return {first + number: name for number, name in enumerate(names)}


def _joint(row: int, middle: int, placed: dict[int, str], *, named_left: bool) -> str:
    """The letter of the line that leads from the names of one side to the middle row."""
    first, last = min(*placed, middle), max(*placed, middle)
    sides = (row in placed, row == middle) if named_left else (row == middle, row in placed)
    return JOINTS.get((first < row <= last, first <= row < last, *sides), " ")
