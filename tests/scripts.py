"""The programs of scripts/ as modules, so that tests can call their functions."""

from __future__ import annotations

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from types import ModuleType

from tests.conftest import ROOT


def script(name: str) -> ModuleType:
    """The program `scripts/NAME`, loaded and not run."""
    loader = SourceFileLoader(f"scripts_{name}", str(ROOT / "scripts" / name))
    spec = spec_from_loader(loader.name, loader)
    assert spec
    module = module_from_spec(spec)
    sys.modules[loader.name] = module  # where its dataclasses look for their module
    loader.exec_module(module)
    return module
