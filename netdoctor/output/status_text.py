"""The deployment status for a person: lines for a terminal, and the Markdown of docs/DEPLOYMENT-STATUS.md."""

from __future__ import annotations

from netdoctor.gateways.status import ModuleStatus, Status
from netdoctor.model import Report, Severity
from netdoctor.output.unasked_text import unasked_lines
from netdoctor.redact import block

ABOUT = {
    "llm": ("LLM", "chat completions and text generation"),
    "vision": ("Vision", "image to text"),
    "audio": ("Audio", "speech to text"),
    "image-gen": ("Image generation", "text to image"),
    "embeddings": ("Embeddings", "text embeddings"),
}


def text(status: Status, report: Report) -> list[str]:
    """Lines for a terminal."""
    lines = [f"modules in namespace {status.namespace}: {_verdict(status)}"]
    for module in status.modules:
        sign = "✓" if module.ok else "✗"
        lines.append(
            f"  {sign} {module.name:11} {module.node_port or '-'}  {_state(module)}  {', '.join(module.models)}"
        )
    for shared in status.shared:
        sign = "✓" if shared.ready >= shared.wanted else "✗"
        lines.append(
            f"  {sign} {shared.name:11} {shared.port}   {shared.ready}/{shared.wanted} ready{_dash(shared.trouble)}"
        )
    if status.cause:
        lines.append(f"CAUSE  {status.cause}")
    return lines + findings(report)


def findings(report: Report) -> list[str]:
    """The causes that `netdoctor check` finds, or that there is none."""
    causes = [
        f"CAUSE  {d.cause.summary} ({d.cause.probe})" for d in report.diagnoses if d.cause.severity is Severity.ERROR
    ]
    if causes:
        return causes
    if report.exit_code == 0:
        return ["HEALTHY  netdoctor check finds no fault"]
    return unasked_lines(report.results, "no faults found")


def _verdict(status: Status) -> str:
    good = sum(m.ok for m in status.modules)
    return f"{good} of {len(status.modules)} ready"


def _state(module: ModuleStatus) -> str:
    words = [f"{module.ready}/{module.wanted} ready"]
    if module.restarts:
        words.append(f"{module.restarts} restart{'s' if module.restarts > 1 else ''}")
    if module.answers is False:
        words.append(f"its NodePort: {module.answer}")
    if module.trouble:
        words.append(module.trouble)
    return ", ".join(words)


def _dash(words: str) -> str:
    return f", {words}" if words else ""


def markdown(status: Status, report: Report) -> str:
    """The page: what runs, where, with which models, and what is wrong."""
    lines = [
        "# Deployment status",
        "",
        f"{_verdict(status)} in namespace `{status.namespace}` on node `{report.node}`, {report.started} "
        f"({report.tool}).",
        "",
        "## Modules",
        "",
        "| module | NodePort | replicas ready | models | state |",
        "|---|---|---|---|---|",
    ]
    for module in status.modules:
        title, what = ABOUT.get(module.name, (module.name, ""))
        models = ", ".join(f"`{m}`" for m in module.models)
        state = "answers" if module.ok else _state(module)
        ready = f"{module.ready}/{module.wanted}"
        lines.append(f"| **{title}** {what} | {module.node_port or '-'} | {ready} | {models} | {cell(state)} |")
    lines += ["", "## Shared", "", "| | port | ready | state |", "|---|---|---|---|"]
    for shared in status.shared:
        lines.append(
            f"| {shared.name} | {shared.port} | {shared.ready}/{shared.wanted} | {cell(shared.trouble or 'runs')} |"
        )
    lines += ["", "## Outstanding issues", ""]
    issues = [f"- **{d.cause.probe}**: {cell(d.cause.summary)}" for d in report.diagnoses]
    issues += [f"- {cell(status.cause)}"] if status.cause else []
    lines += issues or ["None: every module answers, and `netdoctor check` finds no fault."]
    return block(lines) + "\n"


def cell(words: str) -> str:
    """Text that may stand in a table."""
    return words.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
