"""Options that every command has which asks the API server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

Command = Callable[..., Any]


def cluster_access(command: Command) -> Command:
    """Add --kubeconfig, --context and --as-user, which hold for the whole process.

    Raises BadInput for what cannot be used.
    """
    file = click.option(
        "--kubeconfig",
        metavar="FILE",
        expose_value=False,
        callback=_file,
        help="Use this kubeconfig, even if others can change it: its exec plugin runs with your rights.",
    )
    context = click.option(
        "--context",
        metavar="NAME",
        expose_value=False,
        callback=_context,
        help="Use this context of the kubeconfig instead of its current one.",
    )
    user = click.option(
        "--as-user",
        is_flag=True,
        expose_value=False,
        callback=_as_user,
        help="Read the kubeconfig and run its exec plugin with the rights of the user behind sudo.",
    )
    return file(context(user(command)))


def _file(_ctx: click.Context, _option: click.Parameter, value: str | None) -> None:
    if value is not None:
        from netdoctor.system.kubeconfig import choose

        choose(file=value)


def _context(_ctx: click.Context, _option: click.Parameter, value: str | None) -> None:
    if value is not None:
        from netdoctor.system.kubeconfig import choose

        choose(context=value)


def _as_user(_ctx: click.Context, _option: click.Parameter, value: bool) -> None:
    if value:
        from netdoctor.system.kubeconfig import choose

        choose(as_user=True)
