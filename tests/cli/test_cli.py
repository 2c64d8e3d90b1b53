"""The command line as users meet it: real processes, bad input of every kind, and never a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from netdoctor import __version__
from netdoctor.errors import CannotRead
from netdoctor.recording.file import to_json
from netdoctor.system.host import Host
from netdoctor.system.kube_api import connect
from tests.builders import SILENT, sysctls, upstream_answers
from tests.conftest import ROOT
from tests.schemas import valid
from tests.worlds import catalogue, world

COMMANDS = sorted(p.stem.replace("_", "-") for p in (ROOT / "netdoctor/cli").glob("*.py") if p.stem != "__init__")
START = [sys.executable, "-c", "from netdoctor.cli import main; main()"]
CLUSTERLESS = {"KUBECONFIG": "/nonexistent", "HOME": "/nonexistent"}


def netdoctor(
    *arguments: str | Path,
    environment: dict[str, str] | None = None,
    before: tuple[str, ...] = (),
    cwd: Path = ROOT,
    start: list[str] = START,
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*before, *start, *map(str, arguments)], check=False, capture_output=True, text=True, timeout=30, cwd=cwd,
        env={**os.environ, **CLUSTERLESS, **(environment or {})}, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


def one_sentence(done: subprocess.CompletedProcess[str]) -> str:
    """What is said on standard error, which has to be one sentence after click's usage."""
    lines = [line for line in done.stderr.splitlines() if line and not line.startswith(("Usage: ", "Try '"))]
    assert len(lines) == 1, done.stderr
    assert len(lines[0]) < 400
    return lines[0]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    file = tmp_path / "facts.json"
    file.write_text(to_json(world(sysctls("0"), upstream_answers(pods=SILENT))))
    return file


class TestHelp:
    def test_every_command_stands_in_it_in_the_order_of_use(self) -> None:
        done = netdoctor("--help")
        assert done.returncode == 0
        listed = [line.split()[0] for line in done.stdout.partition("Look:")[2].splitlines() if line.startswith("  ")]
        assert sorted(listed) == COMMANDS
        assert listed[:11] == "check trace explain demo fix confirm undo gate deploy status record".split()  # noqa: SIM905
        for title in ("Look:", "Repair:", "LiteLLM gateways:", "Share:", "More:"):
            assert f"\n{title}\n" in done.stdout

    @pytest.mark.parametrize("columns", ["40", "80", "200"])
    def test_no_sentence_is_cut(self, columns: str) -> None:
        done = netdoctor("--help", environment={"COLUMNS": columns})
        assert "..." not in done.stdout.partition("Look:")[2]

    @pytest.mark.parametrize("command", COMMANDS)
    def test_of_a_command(self, command: str) -> None:
        done = netdoctor(command, "--help")
        assert done.returncode == 0
        assert done.stdout.startswith("Usage: ")
        examples = done.stdout.partition("  Examples:\n")[2].partition("\n\n")[0].splitlines()
        assert len([line for line in examples if "netdoctor " in line]) == 2
        assert "\n  Exit status: 0" in done.stdout
        assert netdoctor("help", command).stdout == done.stdout

    @pytest.mark.parametrize("command", ["", *COMMANDS])
    def test_it_fits_a_terminal_and_says_limits_in_words(self, command: str) -> None:
        done = netdoctor(*command.split(), "--help", environment={"COLUMNS": "80"})
        assert [line for line in done.stdout.splitlines() if len(line) > 80] == []
        assert "<" not in done.stdout
        assert "RANGE" not in done.stdout

    @pytest.mark.parametrize(
        ("words", "limits"), [("fix --confirm", "5 to 3600 seconds"), ("deploy --timeout", "1 to 3600 seconds")]
    )
    @pytest.mark.parametrize("given", ["0", "-5", "3601", "many", "5.5", ""])
    def test_limits_of_a_time(self, words: str, limits: str, given: str) -> None:
        command, option = words.split()
        assert limits in netdoctor(command, "--help", environment={"COLUMNS": "200"}).stdout
        done = netdoctor(command, option, given)
        assert done.returncode == 2
        assert one_sentence(done).endswith(f"'{given}' is not a whole number of {limits}")

    def test_as_a_command(self) -> None:
        assert netdoctor("help").stdout == netdoctor("--help").stdout
        assert netdoctor("version").stdout == netdoctor("-V").stdout == f"netdoctor {__version__}\n"

    @pytest.mark.parametrize("words", [("chek",), ("Check",), ("help", "chek")])
    def test_a_command_nearby_is_offered(self, words: tuple[str, ...]) -> None:
        done = netdoctor(*words)
        assert done.returncode == 2
        assert one_sentence(done).endswith("; did you mean check?")

    def test_it_imports_click_and_nothing_heavy(self) -> None:
        code = (
            "import sys, contextlib; sys.argv[1:] = ['--help']\nfrom netdoctor.cli import main\n"
            "with contextlib.suppress(SystemExit): main()\nprint('MODULES', *sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=30)
        loaded = {name.partition(".")[0] for name in done.stdout.rpartition("MODULES ")[2].split()}
        assert "click" in loaded
        assert "netdoctor.cli.check" not in done.stdout, "a command is imported for its line"
        assert not loaded & {"kubernetes", "pydantic", "rich", "dns", "psycopg", "scapy", "jeepney", "urllib3", "yaml"}

    def test_version(self) -> None:
        assert netdoctor("--version").stdout == f"netdoctor {__version__}\n"


@pytest.mark.parametrize("module", ["click", "netdoctor.cli", "netdoctor.system.output_gate"])
def test_ctrl_c_while_it_is_imported_shows_no_traceback(module: str, tmp_path: Path) -> None:
    code = (
        "import importlib.abc, os, signal, sys, time\n"
        "class Press(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        f"        if name == {module!r}:\n"
        "            os.kill(os.getpid(), signal.SIGINT); time.sleep(20)\n"
        "sys.meta_path.insert(0, Press())\n"
        "from netdoctor.__main__ import main\n"
        "main()"
    )
    argv = [sys.executable, "-c", code, "--help"]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


class TestStreams:
    @pytest.mark.thorough
    @pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
    def test_closed_ones_are_no_traceback(self, closed: str, recording: Path) -> None:
        line = f'"$@" check --facts "{recording}" {closed}'
        done = netdoctor(before=("sh", "-c", line.replace('"$@"', '"$0" "$@"')))
        assert done.returncode == 1

    @pytest.mark.thorough
    def test_a_terminal_of_few_letters(self, recording: Path) -> None:
        done = netdoctor("check", "--facts", recording, environment={"PYTHONIOENCODING": "ascii"})
        assert done.returncode == 1
        assert "CAUSE" in done.stdout
        lines = done.stdout.splitlines()
        assert any(line.startswith("  x ") for line in lines)
        assert any(line.startswith("  v ") for line in lines)
        assert "?" not in done.stdout, "each sign has a letter of its own"

    @pytest.mark.thorough
    def test_a_recording_does_not_steer_the_terminal(self, recording: Path) -> None:
        text = recording.read_text().replace('"node-1"', '"n1\\u001b]0;owned\\u0007"')
        recording.write_text(text)
        done = netdoctor("check", "--facts", recording)
        assert done.returncode == 1
        assert "owned" in done.stdout
        assert "\x1b" not in done.stdout
        recording.write_text(text.replace("owned", "\\ud800"))
        assert one_sentence(netdoctor("check", "--facts", recording)).endswith("it holds half a character")

    @pytest.mark.thorough
    def test_a_fifo_that_nobody_reads(self, recording: Path, tmp_path: Path) -> None:
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        done = netdoctor("check", "--facts", recording, "--report", fifo)
        assert done.returncode == 3
        assert "cannot be written" in one_sentence(done)


class TestUsage:
    @pytest.mark.parametrize(
        "arguments",
        [("nonsense",), ("check", "--nonsense"), ("check", "--output", "xml"), ("check", "surplus"), ("record",),
         ("check", "--facts", "/nonexistent"), ("check", "--facts", "/"), ("check", "--report", "/"),
         ("explain", "no-such-probe")],
    )  # fmt: skip
    def test_it_is_one_sentence_and_status_2(self, arguments: tuple[str, ...]) -> None:
        done = netdoctor(*arguments)
        assert done.returncode == 2
        assert one_sentence(done)
        assert done.stdout == ""

    @pytest.mark.parametrize("form", [("--output", "json"), ("--output=json",), ("-o", "json"), ("-ojson",)])
    def test_json_is_promised_and_given(self, form: tuple[str, ...]) -> None:
        done = netdoctor("check", *form, "--facts", "/nonexistent")
        assert done.returncode == 2
        assert "does not exist" in valid("error", done.stdout)["error"]


class TestExplain:
    def test_the_list(self) -> None:
        done = netdoctor("explain")
        for name in (*catalogue().probes, *catalogue().remedies):
            assert f"\n  {name} " in done.stdout

    @pytest.mark.parametrize(
        ("title", "name"),
        [("causes:", "ip-forward-disabled"), ("symptoms, which a cause explains:", "outside-names-unresolved"),
         ("what else the LiteLLM gateways need:", "provider-unreachable"), ("remedies:", "enable-ip-forward")],
    )  # fmt: skip
    def test_each_kind_is_listed_by_itself(self, title: str, name: str) -> None:
        said = netdoctor("explain").stdout
        listed = said.partition(f"{title}\n")[2].partition("\n\n")[0]
        names = [line.split()[0] for line in listed.splitlines()]
        assert name in names
        assert names == sorted(names)
        assert [said.count(f"\n  {each} ") for each in names] == [1] * len(names)

    def test_every_page(self) -> None:
        code = (
            "from click.testing import CliRunner\nfrom netdoctor.cli import group\n"
            "from netdoctor.diagnosis.catalogue import Catalogue\ncatalogue = Catalogue.load()\n"
            "for name in (*catalogue.probes, *catalogue.remedies):\n"
            "    done = CliRunner().invoke(group, ['explain', name])\n"
            "    assert done.exit_code == 0 and '## ' in done.output, (name, done.output)\n    print(name)"
        )
        done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.split()) == len(catalogue().probes) + len(catalogue().remedies)

    @pytest.mark.thorough
    @pytest.mark.parametrize(
        ("name", "page"),
        [("ip-forwarding-disabled", "ip-forward-disabled"), ("masquerade", "pod-masquerade-missing"),
         ("trust", "trust-pod-network")],
    )  # fmt: skip
    def test_the_only_page_nearby_is_shown(self, name: str, page: str) -> None:
        done = netdoctor("explain", name)
        assert one_sentence(done) == f"no probe or remedy is called {name}; this is {page}:"
        assert (done.returncode, done.stdout) == (0, netdoctor("explain", page).stdout)

    def test_several_nearby_are_named(self) -> None:
        done = netdoctor("explain", "postgres")
        assert (done.returncode, done.stdout) == (2, "")
        assert "near: postgres-login-refused, postgres-name-unresolved, " in one_sentence(done)

    @pytest.mark.thorough
    @pytest.mark.parametrize("name", ["ip_forward_disabled", "IP-Forward-Disabled"])
    def test_another_way_to_write_a_name(self, name: str) -> None:
        done = netdoctor("explain", name)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == netdoctor("explain", "ip-forward-disabled").stdout

    @pytest.mark.thorough
    def test_a_reader_that_has_seen_enough(self) -> None:
        for arguments in (["explain"], ["--help"], ["explain", "firewalld-rejects-pods"]):
            with subprocess.Popen([*START, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
                assert process.stdout is not None
                assert process.stderr is not None
                process.stdout.close()
                assert process.stderr.read() == b""


KUBECONFIGS = {
    "empty": "",
    "junk": "\t: [",
    "number": "3",
    "list": "[]",
    "null": "null",
    "bare": "apiVersion: v1\nkind: Config\n",
    "types": "clusters: 3\n",
    "binary": "\x00\x01",
    "dangling": "current-context: a\ncontexts: [{name: a, context: {cluster: gone, user: gone}}]\n"
    "clusters: []\nusers: []\n",
    "certificates": "current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\n"
    "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:9', certificate-authority: /gone.crt}}]\n"
    "users: [{name: u, user: {client-certificate: /gone.crt, client-key: /gone.key}}]\n",
}


@pytest.mark.parametrize("kind", list(KUBECONFIGS))
def test_a_kubeconfig_that_cannot_be_used(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(KUBECONFIGS[kind])
    monkeypatch.setenv("KUBECONFIG", str(file))
    with pytest.raises(CannotRead, match="it cannot be used: ") as caught:
        connect(Host())
    assert caught.value.source == f"kubeconfig {file}"
    assert "\n" not in str(caught.value)


def test_a_kubeconfig_that_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path))
    with pytest.raises(CannotRead, match="it cannot be used: "):
        connect(Host())
