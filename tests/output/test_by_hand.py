"""A command to type is shown whole, however long it is: half a command is another one."""

from __future__ import annotations

from netdoctor.model import Diagnosis, Evidence, Finding
from netdoctor.output.diagnosis_text import next_step
from netdoctor.output.layout import rendered
from tests.worlds import catalogue

COMMENT = "who may ask the database " * 8
COMMANDS = (f"sudo iptables-legacy -t filter -D FORWARD --comment '{COMMENT.strip()}' -j DROP", "sudo grep -rsn 5432 x")


def shown(by_hand: tuple[str, ...], *, recorded: bool = False) -> str:
    finding = Finding("a rule drops", (Evidence("a", "b", "c"),), probe="packets-dropped-by-rule", by_hand=by_hand)
    lines = next_step(Diagnosis(finding), catalogue(), recorded=recorded, fix=1)
    return "".join(rendered(line, 60, colors=False) for line in lines)


def test_a_long_command_is_not_cut() -> None:
    text = shown(COMMANDS)
    assert "…" not in text
    assert [line[9:] for line in text.splitlines()] == list(COMMANDS)


def test_on_a_recording_it_is_said_where_to_type_it() -> None:
    assert shown(COMMANDS[1:], recorded=True).split()[:5] == ["fix", "on", "the", "node:", "sudo"]


def test_without_a_command_the_manual_page_says_what_to_do() -> None:
    assert "by hand: `nft add rule inet TABLE CHAIN" in shown(())
