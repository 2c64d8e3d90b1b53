"""The lab itself: its command line, labs side by side, and that the machine is afterwards as it was."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

LAB = str(Path(__file__).resolve().parent / "lab" / "lab")
NAMES = ("test-a", "test-b")


def lab(*argv: str, stdin: str = "", timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run one verb of the lab; raises subprocess.TimeoutExpired after `timeout` seconds."""
    return subprocess.run([LAB, *argv], input=stdin, capture_output=True, text=True, timeout=timeout, check=False)


def machine() -> dict[str, str]:
    """What a lab must leave as it was: links, namespaces, mounts, network settings, rules, control groups."""
    commands = {
        "links": "ip -o link | cut -d@ -f1 | sed 's/ state .*//'",
        "namespaces": "ip netns list",
        "mounts": "cut -d' ' -f1-4 /proc/self/mounts | grep -v /.cache/",
        "routes": "ip route show table all",
        "rules": "nft list ruleset 2>/dev/null | grep -v 'packets'",
        "settings": "sysctl -a 2>/dev/null | grep -E '^(net|vm.overcommit_memory|kernel.panic)'"
        " | grep -vE 'nf_conntrack_count|random|rt_cache|tcp_fastopen_key|hash_seed'",
        "groups": f"find /sys/fs/cgroup -type d -name 'lab-{NAMES[0]}*' -o -type d -name 'lab-{NAMES[1]}*'",
        "processes": f"ps -eo args | grep -E 'runs/({NAMES[0]}|{NAMES[1]})/' | grep -v grep",
    }
    return {
        name: subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False).stdout
        for name, line in commands.items()
    }


@pytest.fixture(scope="module")
def usable() -> None:
    """Skip where no lab can run; NETDOCTOR_REQUIRE_LAB=1 makes that a failure."""
    answer = lab("require")
    if answer.returncode == 0 and "can be run" in answer.stdout:
        return
    reason = (answer.stderr or answer.stdout).strip()
    if os.environ.get("NETDOCTOR_REQUIRE_LAB") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def two(usable: None) -> Iterator[dict[str, str]]:
    """Two labs side by side; gives the machine's state from before."""
    before = machine()
    try:
        for name in NAMES:
            started = lab("up", "--name", name)
            assert started.returncode == 0, started.stderr
        yield before
    finally:
        for name in NAMES:
            lab("down", "--name", name)


@pytest.mark.parametrize(
    ("argv", "status", "words"),
    [
        (["fly"], 2, "unknown verb 'fly'"),
        (["up", "--name", "No_Good"], 2, "is no name for a lab"),
        (["up", "--name", "much-too-long-a-name"], 2, "at most 12"),
        (["up", "--name", "prepare"], 2, "not prepare"),
        (["up", "--firewalld", "9"], 2, "--firewalld"),
        (["up", "--workers", "99"], 2, "workers"),
        (["up", "extra"], 2, "extra"),
        (["provider"], 2, "action"),
        (["provider", "pause"], 2, "'start', 'stop', 'log'"),
    ],
)
def test_a_wrong_command_line_gets_one_sentence(argv: list[str], status: int, words: str) -> None:
    answer = lab(*argv)
    assert answer.returncode == status
    assert words in answer.stderr
    assert answer.stdout == ""
    assert len(answer.stderr.splitlines()) == 1


def test_help_lists_the_verbs() -> None:
    answer = lab("--help")
    assert answer.returncode == 0
    for verb in ("build", "require", "up", "reset", "down", "exec", "kubectl", "outside", "provider", "status"):
        assert f"  {verb} " in answer.stdout


@pytest.mark.lab
@pytest.mark.usefixtures("usable")
def test_a_lab_that_is_not_up() -> None:
    answer = lab("exec", "--name", "nobody", "true")
    assert answer.returncode == 3
    assert "is not up" in answer.stderr
    assert lab("provider", "--name", "nobody", "stop").returncode == 3
    assert lab("down", "--name", "nobody").returncode == 0


@pytest.mark.lab
@pytest.mark.usefixtures("usable")
def test_modules_without_their_manifests_are_refused(tmp_path: Path) -> None:
    shutil.copytree(Path(LAB).parent, tmp_path / "tests/lab")
    shutil.copytree(Path(LAB).parents[2] / "requirements", tmp_path / "requirements")
    argv = [str(tmp_path / "tests/lab/lab"), "up", "--name", "nobody", "--modules"]
    answer = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 3
    assert "no folder k8s" in answer.stderr


@pytest.mark.lab
@pytest.mark.usefixtures("two")
class TestTwoLabs:
    def test_up_again_is_refused(self) -> None:
        answer = lab("up", "--name", NAMES[0])
        assert answer.returncode == 3
        assert "already up" in answer.stderr

    def test_exec_passes_streams_and_status(self) -> None:
        answer = lab("exec", "--name", NAMES[0], "sh", "-c", "cat; echo wrong >&2; exit 7", stdin="given\n")
        assert (answer.returncode, answer.stdout, answer.stderr) == (7, "given\n", "wrong\n")
        assert lab("exec", "--name", NAMES[0], "--", "no-such-command").returncode == 127
        assert lab("exec", "--name", NAMES[0], "sh", "-c", "kill -9 $$").returncode == 128 + signal.SIGKILL

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
    def test_exec_ends_with_its_signal(self, number: signal.Signals) -> None:
        mark = f"300.{number.value}"
        with subprocess.Popen([LAB, "exec", "--name", NAMES[0], "sleep", mark]) as process:
            deadline = time.monotonic() + 30
            while lab("exec", "--name", NAMES[0], "pgrep", "-f", f"sleep {mark}").returncode:
                assert time.monotonic() < deadline
            process.send_signal(number)
            assert process.wait(10) == (-9 if number == signal.SIGKILL else 128 + number)
        deadline = time.monotonic() + 30
        while lab("exec", "--name", NAMES[0], "pgrep", "-f", f"sleep {mark}").returncode == 0:
            assert time.monotonic() < deadline

    def test_each_has_its_own_node(self) -> None:
        lab("exec", "--name", NAMES[0], "touch", "/root/mark")
        assert lab("exec", "--name", NAMES[0], "test", "-e", "/root/mark").returncode == 0
        assert lab("exec", "--name", NAMES[1], "test", "-e", "/root/mark").returncode == 1

    def test_the_outside_answers_dns_over_udp_and_tcp_and_http(self) -> None:
        for option in ("+notcp", "+tcp"):
            for server in ("8.8.8.8", "1.1.1.1"):
                query = ["dig", "+short", "+time=2", option, f"@{server}", "example.com"]
                assert lab("exec", "--name", NAMES[1], *query).stdout == "93.184.215.14\n"
        assert "host=" in lab("exec", "--name", NAMES[1], "curl", "-s", "-m", "3", "http://example.com/").stdout
        assert "10.77.0.1/24" in lab("outside", "--name", NAMES[1], "ip", "-br", "address").stdout

    def test_postgres_wants_the_password_of_its_secret(self) -> None:
        secret = lab("kubectl", "--name", NAMES[1], "get", "secret", "postgres", "-o", "jsonpath={.data}").stdout
        assert "POSTGRES_PASSWORD" in secret
        where = "-h $(hostname -i) -U litellm -d litellm"
        pod = ["exec", "deploy/postgres", "--", "bash", "-c"]
        right = lab("kubectl", "--name", NAMES[1], *pod, f"PGPASSWORD=$POSTGRES_PASSWORD psql {where} -Atc 'SELECT 1'")
        assert right.stdout == "1\n", right.stderr
        wrong = lab("kubectl", "--name", NAMES[1], *pod, f"PGPASSWORD=other psql {where} -Atc 'SELECT 1'")
        assert "password authentication failed" in wrong.stderr

    def test_netdoctor_is_on_the_path(self) -> None:
        answer = lab("exec", "--name", NAMES[1], "netdoctor", "--help")
        assert answer.returncode == 0, answer.stderr

    def test_a_reset_brings_what_the_modules_need(self) -> None:
        assert lab("reset", "--name", NAMES[1], "--modules").returncode == 0

        def told(command: str) -> str:
            return lab("exec", "--name", NAMES[1], "sh", "-c", command).stdout

        images = told("ctr -n k8s.io images ls -q").split()
        assert {"lab.local/litellm:1.106.2", "lab.local/postgres:15", "lab.local/prometheus:2.42"} <= set(images)
        assert told("stat -c '%a %n' /var/lib/lab-volumes/*").split() == ["777", "/var/lib/lab-volumes/postgres"]
        assert told("ls -A /var/lib/lab-volumes/postgres") == ""
        assert "kustomization.yaml" in told("ls /opt/modules/k8s /opt/modules/overlays/lab")
        assert told("ls -A /opt/modules/k8s").split()[:1] == [".env.example"]  # and no .env
        assert told("curl -s -m 3 http://example.com:8080/v1/models") == '{"object": "list", "data": []}'
        assert "litellm" not in told("kubectl get namespaces")
        in_image = "ctr -n k8s.io run --rm lab.local/postgres:15 look which psql pg_isready nsenter"
        assert [Path(line).name for line in told(in_image).split()] == ["psql", "pg_isready", "nsenter"]

    def test_the_provider_counts_dies_and_comes_back(self) -> None:
        name = ("--name", NAMES[1])

        def models(number: int) -> int:
            url = f"http://example.com:8080/v1/models?asked={number}"
            return lab("exec", *name, "curl", "-sf", "-m", "3", "-o", "/dev/null", url).returncode

        assert lab("provider", *name, "start").returncode == 0
        assert models(1) == 0
        assert lab("provider", *name, "stop").returncode == 0
        assert models(2) == 7  # refused
        assert lab("provider", *name, "stop").returncode == 0
        assert lab("provider", *name, "start").returncode == 0
        assert models(3) == 0
        asked = [line for line in lab("provider", *name, "log").stdout.splitlines() if "asked=" in line]
        assert asked == [f"10.77.0.2 GET /v1/models?asked={number} 200 -" for number in (1, 3)]

    def test_the_running_labs_do_not_touch_the_machine(self, two: dict[str, str]) -> None:
        now = machine()
        for name in ("links", "namespaces", "mounts", "routes", "rules", "settings"):
            assert now[name] == two[name], name


@pytest.mark.lab
def test_down_leaves_the_machine_as_it_was(two: dict[str, str]) -> None:
    for name in NAMES:
        assert lab("down", "--name", name).returncode == 0
    assert machine() == two


@pytest.mark.lab
@pytest.mark.parametrize("after", [0.4, 2.5])
def test_a_killed_up_is_swept_up_by_down(two: dict[str, str], after: float) -> None:
    with subprocess.Popen([LAB, "up", "--name", NAMES[0]], stdout=subprocess.DEVNULL) as process:
        time.sleep(after)
        process.kill()
    assert lab("down", "--name", NAMES[0]).returncode == 0
    assert machine() == two


@pytest.mark.lab
def test_an_interrupted_up_cleans_up_itself(two: dict[str, str]) -> None:
    with subprocess.Popen([LAB, "up", "--name", NAMES[0]], stdout=subprocess.DEVNULL) as process:
        time.sleep(2.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 128 + signal.SIGINT
    assert machine() == two
