"""`netdoctor deploy`: the modules, once the path that they need works."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from netdoctor.terminal.cluster_options import cluster_access
from netdoctor.terminal.seconds import Seconds

if TYPE_CHECKING:
    from netdoctor.diagnosis.gate import Gate
    from netdoctor.facts.gateways.env_file import EnvFile
    from netdoctor.facts.gateways.kustomization import Kustomization
    from netdoctor.gateways.deployment import Deployer
    from netdoctor.gateways.rollout import Rollout
    from netdoctor.terminal.sayer import Sayer


TIMEOUT = Seconds(1, 3600)


@click.command()
@click.option("-k", "--kustomization", help="Folder with the manifests; default, without sudo: ./k8s.")
@click.option("--dry-run", is_flag=True, help="Ask the gate, show what the API server would change, change nothing.")
@click.option("--force", is_flag=True, help="Deploy even if the gate is not open.")
@click.option("--force-conflicts", is_flag=True, help="Take over fields that somebody else changed, as kubectl does.")
@click.option("--images", is_flag=True, help="Ask for a picture in the smoke test too; a real provider charges for it.")
@click.option("--timeout", type=TIMEOUT, default=300, show_default=True, help=f"For the rollout: {TIMEOUT.in_words}.")
@click.option("--roll-back/--no-roll-back", default=None, help="Roll back a failed rollout without asking, or never.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="Format of standard output.")
@cluster_access
@click.pass_context
def command(
    ctx: click.Context,
    kustomization: str | None,
    dry_run: bool,
    force: bool,
    force_conflicts: bool,
    images: bool,
    timeout: int,
    roll_back: bool | None,
    output: str,
) -> None:
    """Deploy the modules: gate, server-side apply, rollout, smoke test. A closed gate deploys nothing.

    \b
    Examples:
      sudo netdoctor deploy -k k8s --dry-run
      sudo netdoctor deploy -k k8s --timeout 600

    Exit status: 0 every module serves, 1 the gate is closed or something failed, 2 the manifests cannot be read,
    3 could not tell or could not do.
    """
    from netdoctor.errors import BadInput
    from netdoctor.facts.gateways.kustomization import Kustomization, chosen, file_in
    from netdoctor.gateways.deployment import Deployer, Options
    from netdoctor.terminal.sayer import Sayer

    folder, doubt = chosen(kustomization)
    if doubt and not _meant(folder, doubt):
        raise BadInput(f"{folder} is not deployed unless it is named, because {doubt}: --kustomization {folder}")
    if not folder:
        raise BadInput("there is no folder k8s with a kustomization.yaml here: use --kustomization")
    file_in(folder)
    say = Sayer(output)
    begin = time.monotonic()
    known = _checked(folder)
    if not _finds_cluster():
        ctx.exit(_without_cluster(folder, known, say, dry_run=dry_run))
    if not keys(folder, say, dry_run=dry_run):
        say.json(deployed=False)
        ctx.exit(0)
    manifests = known or Kustomization.build(folder)
    gate = _ask(manifests, say)
    asked = round(time.monotonic() - begin, 1)
    options = Options(timeout=timeout, images=images, force_conflicts=force_conflicts)
    if gate.verdict.exit_code and not force and not dry_run:
        say("nothing was deployed (use --force to deploy anyway)")
        say.json(gate=gate, deployed=False, seconds={"gate": asked})
        ctx.exit(gate.verdict.exit_code)
    deployer = Deployer(manifests, options)
    deployer.result.seconds["gate"] = asked
    if dry_run:
        ctx.exit(_show(deployer, gate, say))
    ctx.exit(_deploy(deployer, gate, say, roll_back))


def _checked(folder: str) -> Kustomization | None:
    """The manifests; None where they lack only the keys that a deployment makes. Raises BadInput, CannotRead."""
    from netdoctor.diagnosis.gate import require_gateways
    from netdoctor.facts.gateways.env_file import find
    from netdoctor.facts.gateways.kustomization import EnvMissing, Kustomization

    files = find(folder)
    try:
        manifests = Kustomization.build(folder)
    except EnvMissing:
        if all(file.exists for file in files):  # another one, which netdoctor does not make
            raise
        return None
    require_gateways(manifests)
    to_write = any(file.to_make or file.on_disk != file.text for file in files)
    return None if to_write else manifests


def _finds_cluster() -> bool:
    """Whether an API server answers: before that nothing is written."""
    from netdoctor.errors import CannotRead
    from netdoctor.facts import Facts
    from netdoctor.system.kube_api import KubeApi

    try:
        Facts().get(KubeApi)
    except CannotRead:
        return False
    return True


def _without_cluster(folder: str, known: Kustomization | None, say: Sayer, *, dry_run: bool) -> int:
    """Say what keeps the API server from being asked; the exit status. Nothing is written."""
    if dry_run:
        keys(folder, say, dry_run=True)
    gate = _ask(known, say)
    say("nothing was changed" if dry_run else "nothing was deployed")
    say.json(gate=gate, deployed=False)
    return gate.verdict.exit_code or 3


def _ask(manifests: Kustomization | None, say: Sayer) -> Gate:
    """Ask the gate, and say what it says."""
    from netdoctor.diagnosis.gate import ask
    from netdoctor.output.gate_text import render, summary
    from netdoctor.system.kubeconfig import used
    from netdoctor.terminal.output import waiting

    with waiting() as watch:
        gate = ask(manifests, watch)
    for line in render(gate, "deploy") if gate.verdict.exit_code else summary(gate):
        say(line)
    if used():
        say(f"kubeconfig {used()}")
    return gate


def _meant(folder: str, doubt: str) -> bool:
    """Whether the person at the terminal, if there is one, means this folder."""
    import sys
    from pathlib import Path

    from netdoctor.redact import one_line

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    place = str(Path(folder).resolve())
    return click.confirm(one_line(f"{doubt}: deploy the manifests in {place}?"), err=True)


def keys(folder: str, say: Sayer, *, dry_run: bool) -> bool:
    """Make the keys that are missing and say where they are; False where a dry run cannot go on without them."""
    from netdoctor.facts.gateways.env_file import complete, find

    goes_on = True
    for file in find(folder):
        if dry_run:
            if file.to_make or not file.exists:
                say(f"keys: {file.path} would get random values for {', '.join(file.to_make) or 'nothing'}")
            if not file.exists:
                say(f"the rest can be shown once {file.path} is there")
                goes_on = False
            continue
        _tell_keys(file, complete(file), say)
    return goes_on


def _tell_keys(before: EnvFile, after: EnvFile, say: Sayer) -> None:
    if before.to_make:
        say(f"keys: {len(before.to_make)} random ones made in {after.path}, which only its owner may read")
    elif before.on_disk != after.on_disk:
        say(f"keys: {after.path} written, which only its owner may read")
    elif after.open_to_others:
        say(f"! {after.path} can be read by others: chmod 600 {after.path}")
    if after.quoted:
        say(f"! the quotes around {', '.join(after.quoted)} in {after.path} become a part of the value")
    if after.guessable:
        say(f"! {', '.join(after.guessable)} in {after.path} is easy to guess: replace it with a random value")
    if after.to_ask:
        say(f"! {', '.join(after.to_ask)} in {after.path} is empty, and only you can fill it in")


def _show(deployer: Deployer, gate: Gate, say: Sayer) -> int:
    different = deployer.difference()
    say("")
    if different.namespace_missing:
        say(f"namespace {deployer.modules.namespace} would be made, and in it: {', '.join(different.changed)}")
    elif different.changed:
        say.block(different.text.rstrip())
        say(f"would change: {', '.join(different.changed)}")
    else:
        say("nothing would change")
    say("nothing was changed")
    say.json(gate=gate, deployed=False, would_change=different.changed, diff=different.text)
    return gate.verdict.exit_code


def _deploy(deployer: Deployer, gate: Gate, say: Sayer, roll_back: bool | None) -> int:
    """Apply, rollout, smoke test; the exit status. Raises CannotRead where it cannot go on."""
    from netdoctor.output.deployment_text import applied, serving

    result, begin = deployer.result, time.monotonic()
    deployer.apply()
    say(applied(result, len(deployer.objects)))
    rollout = _watch(deployer, say)
    if not rollout.complete:
        _tell_failed(rollout, gate, say)
        _go_back(deployer, say, roll_back)
        say.json(gate=gate, deployed=True, ok=False, result=result, cause=rollout.cause)
        return 1
    _prune(deployer, say)
    _smoke(deployer, say)
    say(serving(result, time.monotonic() - begin + result.seconds["gate"]))
    say.json(gate=gate, deployed=True, ok=result.ok, result=result)
    return 0 if result.ok else 1


def _watch(deployer: Deployer, say: Sayer) -> Rollout:
    """Wait for the rollout; who stops waiting, or cannot ask any more, reads that it goes on. Raises CannotRead."""
    from netdoctor.errors import CannotRead

    say("rollout:")
    try:
        deployer.watch(say)
    except (KeyboardInterrupt, CannotRead):
        say("the rollout goes on in the cluster: netdoctor status shows how far it is")
        raise
    rollout = deployer.result.rollout
    assert rollout
    return rollout


def _prune(deployer: Deployer, say: Sayer) -> None:
    """Delete what earlier deployments left; the modules run also where that cannot be done."""
    from netdoctor.errors import CannotRead

    try:
        pruned = deployer.prune()
    except CannotRead as error:
        say(f"! ConfigMaps and Secrets of earlier deployments may be left: {error}")
        return
    if pruned:
        say(f"pruned (no longer referenced): {', '.join(pruned)}")


def _smoke(deployer: Deployer, say: Sayer) -> None:
    """Ask every module, and Prometheus where it is among the objects."""
    from netdoctor.output.deployment_text import scraped_line, served_line

    say("smoke test:")
    deployer.smoke(lambda served: say(served_line(served)))
    deployer.scrape()
    prometheus = scraped_line(deployer.result)
    if prometheus:
        say(prometheus)


def _tell_failed(rollout: Rollout, gate: Gate, say: Sayer) -> None:
    """What did not get ready, why, and what to do next."""
    from netdoctor.output.deployment_text import reason
    from netdoctor.program_messages.message import Kind

    for progress in rollout.progress:
        if not progress.done:
            say(f"  ✗ {progress.workload} {progress.ready}/{progress.wanted}")
    say(f"CAUSE  {reason(rollout)}")
    cause = rollout.cause
    by_the_network = cause.kind is Kind.NETWORK if cause else gate.verdict.exit_code != 0
    if by_the_network:
        say("  see    sudo netdoctor check names what breaks the network")


def _go_back(deployer: Deployer, say: Sayer, roll_back: bool | None) -> None:
    """Roll back what can be, where the user wants it; `roll_back` None: ask, where somebody is at the terminal."""
    import sys

    back = deployer.result.can_go_back
    if not back:
        say("nothing to roll back to: no workload has an earlier revision")
        return
    if roll_back is None and sys.stdin.isatty() and sys.stdout.isatty():
        roll_back = click.confirm(f"Roll {', '.join(back)} back to what ran before?", default=False)
    if not roll_back:
        undo = f"kubectl -n {deployer.result.namespace} rollout undo {' '.join(back)}"
        say(f"to roll back: {undo} (--roll-back would have done it)")
        return
    say("rolling back:")
    if not deployer.roll_back(say):
        say("the previous revision does not become ready either; see netdoctor status")
