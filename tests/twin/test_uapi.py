"""netdoctor's names of the kernel's numbers, beside the kernel's headers of this machine."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from enum import IntEnum
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

from netdoctor.twin.wire import uapi

INCLUDED = Path("/usr/include")
NEWER = {"NFTA_SET_TYPE", "NFTA_SET_COUNT"}  # of 2025: the headers of a machine may be older


def classes() -> Iterator[type[IntEnum]]:
    for module in iter_modules(uapi.__path__):
        for found in vars(import_module(f"{uapi.__name__}.{module.name}")).values():
            if isinstance(found, type) and issubclass(found, IntEnum) and found is not IntEnum:
                yield found


def header_of(names: type[IntEnum]) -> str:
    found = re.search(r"\((linux/[\w/.]+\.h)\)\.$", names.__doc__ or "")
    assert found, f"{names.__name__} does not say which header it is from"
    return found[1]


@pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler")
@pytest.mark.skipif(not (INCLUDED / "linux/rtnetlink.h").exists(), reason="the kernel's headers are not installed")
def test_each_number_is_the_headers(tmp_path: Path) -> None:
    headers = dict.fromkeys(header_of(names) for names in classes())
    ours = {
        f"{names.__name__}_{name}": int(member) for names in classes() for name, member in names.__members__.items()
    }
    asked = [name for name in ours if name not in NEWER]
    program = ["#include <sys/socket.h>", "#include <stdio.h>", *(f"#include <{header}>" for header in headers)]
    program += ["int main(void) {", *(f'printf("{name} %lld\\n", (long long)({name}));' for name in asked), "}"]
    (tmp_path / "numbers.c").write_text("\n".join(program))
    subprocess.run(["cc", "-w", "-o", tmp_path / "numbers", tmp_path / "numbers.c"], check=True)
    printed = subprocess.run([tmp_path / "numbers"], check=True, capture_output=True, text=True).stdout
    theirs = {name: int(number) for name, number in (line.split() for line in printed.splitlines())}
    assert {name: ours[name] for name in asked} == theirs


def test_no_name_stands_for_two_numbers_and_no_number_for_two_names_of_a_class() -> None:
    for names in classes():
        assert len(names.__members__) == len({*names}), names.__name__
