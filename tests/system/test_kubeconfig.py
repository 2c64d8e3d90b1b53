"""Whose kubeconfig root uses, and for what: the whole command on real files of other users, and a real API server."""

from __future__ import annotations

import base64
import json
import os
import ssl
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import ClassVar

import pytest

from netdoctor.errors import CannotRead
from netdoctor.facts.gateways.kubectl import Kubectl
from netdoctor.system import kubeconfig
from netdoctor.system.host import Host
from netdoctor.system.kube_api import KubeApi
from netdoctor.system.ownership import ANYBODY, writers
from tests.cli.test_cli import netdoctor, one_sentence

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, which is what is protected"),
]
STRANGER = 12345  # without an entry in passwd
CANARY = "canary-0f1e2d3c4b5a"


class ApiServer(ThreadingHTTPServer):
    """Answers /version, and keeps what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.headers: list[dict[str, list[str]]] = []
        self.paths: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, ApiServer)
        self.server.paths.append(self.path)
        self.server.headers.append({name.title(): self.headers.get_all(name, []) for name in self.headers})
        body = json.dumps({"gitVersion": "v1.36.0", "kind": "Status", "message": "", "items": []}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[ApiServer]:
    server = ApiServer()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder that a stranger may enter, as /home is; all above it is root's."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == 0 and folder.name.startswith(("pytest", "popen", "test", tmp_path.name)):
            folder.chmod(0o755)
    return tmp_path


def config(server: str, user: dict[str, object], cluster: dict[str, object] | None = None) -> str:
    return json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server, **(cluster or {})}}],
        "users": [{"name": "u", "user": user}],
    })  # fmt: skip


def strangers_home(place: Path, text: str) -> Path:
    home = place / "home"
    (home / ".kube").mkdir(parents=True)
    file = home / ".kube/config"
    file.write_text(text)
    for path in (home, home / ".kube", file):
        os.chown(path, STRANGER, STRANGER)
    return file


def plugin(place: Path, mark: Path) -> dict[str, object]:
    """An exec plugin that leaves a mark with the number of whoever runs it, and gives a token."""
    program = place / "plugin"
    answer = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": "of-plugin"},
    }
    program.write_text(
        f"#!/bin/sh\n(id -u; id -G; echo HOME=$HOME; env | grep -c SUDO) >{mark}\ncat <<'E'\n{json.dumps(answer)}\nE\n"
    )
    program.chmod(0o755)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(program),
                     "interactiveMode": "Never"}}  # fmt: skip


def status(file: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The whole command on this kubeconfig, as the shell of the caller's sudo has it."""
    return netdoctor("status", *arguments, environment={"KUBECONFIG": str(file), **environment})


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Why this process does not use these kubeconfigs."""

    def ask(files: str) -> str:
        monkeypatch.setenv("KUBECONFIG", files)
        with pytest.raises(CannotRead) as caught:
            KubeApi.collect(Host())
        return str(caught.value)

    return ask


class TestAStrangers:
    def test_exec_plugin_is_not_started(self, place: Path, server: ApiServer) -> None:
        mark = place / "mark"
        done = status(strangers_home(place, config(server.url, plugin(place, mark))))
        assert not mark.exists()
        assert done.returncode == 3
        assert "--kubeconfig FILE uses it anyway" in one_sentence(done)
        assert not server.headers

    def test_home_is_looked_at_where_the_admins_files_are_missing(self, place: Path, server: ApiServer) -> None:
        mark = place / "mark"
        file = strangers_home(place, config(server.url, plugin(place, mark)))
        done = netdoctor("status", environment={"KUBECONFIG": "", "HOME": str(file.parents[1])})
        assert (mark.exists(), done.returncode) == (False, 3)

    def test_file_is_read_with_their_rights(self, place: Path, server: ApiServer) -> None:
        secret = place / "root-only"
        secret.write_text(f"{CANARY}\n")
        secret.chmod(0o600)
        done = status(strangers_home(place, config(server.url, {"tokenFile": str(secret)})))
        assert CANARY not in done.stdout + done.stderr + json.dumps(server.headers)
        assert "Permission denied" in one_sentence(done)
        assert not server.headers

    @pytest.mark.parametrize("field", ["client-key", "client-certificate", "certificate-authority"])
    def test_no_other_field_leads_to_a_file_of_root(
        self, field: str, place: Path, server: ApiServer, refused: Callable[[str], str]
    ) -> None:
        secret = place / "root-only"
        secret.write_text(CANARY)
        secret.chmod(0o600)
        named: dict[str, object] = {field: str(secret)}
        said = refused(str(strangers_home(place, config(server.url, named, named))))
        assert "Permission denied" in said
        assert CANARY not in said

    @pytest.mark.parametrize("how", ["relative", "link", "folder-link", "merged", "itself"])
    def test_other_ways_to_a_file_of_root(
        self, how: str, place: Path, server: ApiServer, refused: Callable[[str], str]
    ) -> None:
        (place / "secrets").mkdir(mode=0o700)
        secret = place / "secrets/root-only"
        secret.write_text(config(server.url, {"token": CANARY}) if how == "itself" else CANARY)
        secret.chmod(0o600)
        named = {"relative": "../../secrets/root-only", "link": "token", "folder-link": "folder/root-only"}
        file = strangers_home(place, config(server.url, {"tokenFile": named.get(how, str(secret))}))
        listed = str(file)
        if how == "link":
            (file.parent / "token").symlink_to(secret)
        elif how == "folder-link":
            (file.parent / "folder").symlink_to(secret.parent)
        elif how == "merged":  # the user is root's, the cluster (and so whoever gets the token) the stranger's
            admin = place / "admin.conf"
            admin.write_text(config("https://127.0.0.1:9", {"token": CANARY}))
            admin.chmod(0o600)
            file.write_text(json.dumps({"clusters": [{"name": "c", "cluster": {"server": server.url}}]}))
            listed = f"{file}:{admin}"
        elif how == "itself":
            file.unlink()
            file.symlink_to(secret)
        assert CANARY not in refused(listed)
        assert not server.headers

    def test_fifo_does_not_block(self, place: Path, refused: Callable[[str], str]) -> None:
        fifo = place / "fifo"
        os.mkfifo(fifo, 0o666)
        said = refused(str(strangers_home(place, config("https://127.0.0.1:9", {"tokenFile": str(fifo)}))))
        assert "not a regular file" in said

    def test_token_is_used(self, place: Path, server: ApiServer) -> None:
        done = netdoctor("check", "--output", "json", environment={
            "KUBECONFIG": str(file := strangers_home(place, config(server.url, {"token": "of-the-user"}))),
        })  # fmt: skip
        assert json.loads(done.stdout)["kubeconfig"] == str(file)
        assert {h["Authorization"][0] for h in server.headers} == {"Bearer of-the-user"}

    @pytest.mark.parametrize("user", [{"auth-provider": {"name": "gcp", "config": {"cmd-path": "/bin/touch"}}},
                                      {"auth-provider": {"name": "oidc", "config": {"id-token": "a.b.c"}}},
                                      {"token": "x", "exec": {"command": "/bin/touch", "args": ["MARK"]}}])  # fmt: skip
    def test_nothing_else_starts_a_program(
        self, user: dict[str, object], place: Path, server: ApiServer, refused: Callable[[str], str]
    ) -> None:
        mark = place / "mark"
        text = config(server.url, user).replace("MARK", str(mark)).replace("/bin/touch", f"/bin/touch {mark}")
        assert "--as-user" in refused(str(strangers_home(place, text)))
        assert not mark.exists()
        assert not server.headers


def test_whoever_wants_it_anyway_names_it(place: Path, server: ApiServer) -> None:
    mark = place / "mark"
    file = strangers_home(place, config(server.url, plugin(place, mark)))
    netdoctor("status", "--kubeconfig", file)
    assert mark.read_text().splitlines()[0] == "0"
    assert {h["Authorization"][0] for h in server.headers} == {"Bearer of-plugin"}


class TestAsUser:
    SUDO: ClassVar = {"SUDO_UID": str(STRANGER), "SUDO_GID": str(STRANGER), "SUDO_USER": "nobody-known"}

    def test_plugin_runs_with_their_rights(self, place: Path, server: ApiServer) -> None:
        folder = place / "marks"
        folder.mkdir()
        folder.chmod(0o777)
        file = strangers_home(place, config(server.url, plugin(place, folder / "mark")))
        netdoctor("status", "--as-user", "--kubeconfig", file, environment=self.SUDO)
        uid, groups, home, sudo = (folder / "mark").read_text().splitlines()
        assert (uid, groups, sudo) == (str(STRANGER), str(STRANGER), "0")
        assert home != f"HOME={os.environ.get('HOME')}"
        assert {h["Authorization"][0] for h in server.headers} == {"Bearer of-plugin"}

    def test_files_are_read_with_their_rights(self, place: Path, server: ApiServer) -> None:
        secret = place / "root-only"
        secret.write_text(CANARY)
        secret.chmod(0o600)
        file = strangers_home(place, config(server.url, {"tokenFile": str(secret)}))
        done = netdoctor("status", "--as-user", "--kubeconfig", file, environment=self.SUDO)
        assert done.returncode == 3
        assert not server.headers

    def test_without_sudo_it_is_said(self) -> None:
        done = netdoctor("check", "--as-user", environment={"SUDO_UID": ""})
        assert done.returncode == 2
        assert "sudo was not used here" in one_sentence(done)


@pytest.mark.parametrize("name", ["check", "fix", "gate", "deploy", "status", "record", "trace"])
def test_every_command_that_asks_the_api_server_takes_the_options(name: str) -> None:
    command = import_module(f"netdoctor.cli.{name}").command
    options = {option for parameter in command.params for option in parameter.opts}
    assert {"--kubeconfig", "--context", "--as-user"} <= options


@pytest.mark.parametrize(("context", "server_asked"), [((), "first"), (("--context", "second"), "second")])
def test_another_context_than_the_current_one(
    place: Path, server: ApiServer, context: tuple[str, ...], server_asked: str
) -> None:
    file = place / "config"
    contexts = [{"name": name, "context": {"cluster": name, "user": "u"}} for name in ("first", "second")]
    clusters = [{"name": name, "cluster": {"server": f"{server.url}/{name}"}} for name in ("first", "second")]
    file.write_text(json.dumps({"current-context": "first", "contexts": contexts, "clusters": clusters,
                                "users": [{"name": "u", "user": {"token": "t"}}]}))  # fmt: skip
    netdoctor("status", "--kubeconfig", str(file), *context)
    assert {path.split("/")[1] for path in server.paths} == {server_asked}


def test_a_context_that_is_not_there(place: Path) -> None:
    file = place / "config"
    file.write_text(config("https://127.0.0.1:9", {"token": CANARY}))
    done = netdoctor("status", "--kubeconfig", str(file), "--context", "elsewhere")
    assert done.returncode == 3
    assert "it has no context elsewhere" in one_sentence(done)
    assert netdoctor("status", "--context", "").returncode == 2


def test_a_certificate_that_nobody_looks_at_does_not_warn_on_the_terminal(place: Path) -> None:
    file, key = place / "config", place / "key.pem"
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=x",
    ]
    subprocess.run([*made, "-keyout", key, "-out", place / "crt.pem"], check=True, capture_output=True, timeout=30)
    server = ApiServer()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(place / "crt.pem", key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = f"https://127.0.0.1:{server.server_port}"
    file.write_text(config(url, {"token": "t"}, {"insecure-skip-tls-verify": True}))
    done = netdoctor("check", "--output", "json", "--kubeconfig", str(file))
    assert server.paths
    assert "InsecureRequestWarning" not in done.stderr
    server.shutdown()
    server.server_close()


def test_an_error_without_text_is_named_by_its_status(place: Path) -> None:
    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    file = place / "config"
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        file.write_text(config(f"http://127.0.0.1:{server.server_port}", {"token": "t"}))
        done = netdoctor("check", "--output", "json", "--kubeconfig", str(file))
        server.shutdown()
    assert "GET /version: 404 Not Found" in done.stdout
    assert "404 )" not in done.stdout


class TestWhereNobodyNamesOne:
    @pytest.fixture
    def found(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
        """Which kubeconfig is used where only these files can be read."""
        monkeypatch.delenv("KUBECONFIG", raising=False)

        def find(*readable: str) -> str:
            monkeypatch.setattr(os, "access", lambda path, _mode: str(path) in readable)
            return kubeconfig.find()

        return find

    @pytest.mark.parametrize("path", [
        "/etc/kubernetes/admin.conf", "/etc/rancher/k3s/k3s.yaml", "/etc/rancher/rke2/rke2.yaml",
        "/var/lib/k0s/pki/admin.conf", "/var/snap/microk8s/current/credentials/client.config",
        "/var/lib/minikube/kubeconfig", "/etc/kubernetes/kubelet.conf",
    ])  # fmt: skip
    def test_each_distribution_has_its_own_place(self, path: str, found: Callable[..., str]) -> None:
        assert found(path) == path

    def test_the_nodes_own_comes_before_roots_and_the_kubelets_last(self, found: Callable[..., str]) -> None:
        kubelets, roots, nodes = "/etc/kubernetes/kubelet.conf", "/root/.kube/config", "/etc/rancher/k3s/k3s.yaml"
        assert found(kubelets, roots, nodes) == nodes
        assert found(kubelets, roots) == roots

    def test_one_that_a_group_can_change_needs_a_word(self, place: Path, refused: Callable[[str], str]) -> None:
        file = place / "client.config"  # as MicroK8s leaves it
        file.write_text(config("https://127.0.0.1:9", {"token": CANARY}))
        file.chmod(0o660)
        assert "--kubeconfig FILE uses it anyway" in refused(str(file))


def test_a_file_that_is_none(tmp_path: Path) -> None:
    done = netdoctor("check", "--kubeconfig", tmp_path)
    assert done.returncode == 2
    assert "there is no such file" in one_sentence(done)


class TestWriters:
    def test_roots_own(self, tmp_path: Path) -> None:
        file = tmp_path / "admin.conf"
        file.write_text("")
        assert writers(str(file)) == frozenset()

    @pytest.mark.parametrize("what", ["file", "folder", "above", "link", "link-target"])
    def test_of_somebody_else(self, what: str, tmp_path: Path) -> None:
        (tmp_path / "above/folder").mkdir(parents=True)
        file = tmp_path / "above/folder/admin.conf"
        file.write_text("")
        link = tmp_path / "link"
        link.symlink_to("above/folder/admin.conf")
        changed = {"file": file, "folder": file.parent, "above": file.parents[1], "link": link, "link-target": file}[
            what
        ]
        os.chown(changed, STRANGER, -1, follow_symlinks=False)
        assert writers(str(link if what.startswith("link") else file)) == {STRANGER}

    @pytest.mark.parametrize("mode", [0o777, 0o775, 0o757])
    def test_that_others_may_write(self, mode: int, tmp_path: Path) -> None:
        file = tmp_path / "folder/admin.conf"
        file.parent.mkdir()
        file.write_text("")
        file.parent.chmod(mode)
        assert writers(str(file)) == {ANYBODY}
        file.parent.chmod(0o755)
        file.chmod(mode & 0o666)
        assert writers(str(file)) == {ANYBODY}

    def test_a_circle_of_links(self, tmp_path: Path) -> None:
        (tmp_path / "a").symlink_to("b")
        (tmp_path / "b").symlink_to("a")
        with pytest.raises(OSError, match="links"):
            writers(str(tmp_path / "a"))


class TestHandedOn:
    def test_kubectl_gets_what_was_looked_at(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The file is replaced between the look and the call."""
        fake = place / "kubectl"
        fake.write_text("#!/bin/sh\ncat $KUBECONFIG\necho $KUBECONFIG $KUBERC $KUBECTL_EXTERNAL_DIFF >&2\n")
        fake.chmod(0o755)
        file = strangers_home(place, config("https://127.0.0.1:9", {"token": "first"}))
        monkeypatch.setenv("KUBECONFIG", str(file))
        monkeypatch.setenv("KUBECTL_EXTERNAL_DIFF", "/bin/false")
        assert kubeconfig.current().path == str(file)
        file.write_text(config("https://127.0.0.1:9", plugin(place, place / "mark")))
        done = Kubectl((str(fake),)).run("get", "pods")
        given = json.loads(done.stdout)
        assert given["users"] == [{"name": "user", "user": {"token": "first"}}]
        assert done.stderr.split() == [done.stderr.split()[0], "off"]
        assert done.stderr.startswith("/proc/self/fd/")

    def test_kubectl_is_not_looked_for_in_the_working_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "kubectl").write_text("#!/bin/sh\n")
        (tmp_path / "kubectl").chmod(0o755)
        monkeypatch.chdir(tmp_path)
        for path in ("", ".", ":", ".:/nonexistent"):
            monkeypatch.setenv("PATH", path)
            try:
                assert Kubectl.find().argv[0].startswith("/")
            except CannotRead:
                continue

    def test_impersonation(self, tmp_path: Path, server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
        file = tmp_path / "config"
        user: dict[str, object] = {"token": "t", "as": "jane", "as-groups": ["a", "b"], "as-user-extra": {"k/x": ["1"]}}
        file.write_text(config(server.url, user))
        monkeypatch.setenv("KUBECONFIG", str(file))
        KubeApi.collect(Host())
        (headers,) = server.headers
        assert (headers["Impersonate-User"], headers["Impersonate-Group"]) == (["jane"], ["a", "b"])
        assert headers["Impersonate-Extra-K%2Fx".title()] == ["1"]

    def test_a_token_that_is_none_is_not_shown(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "token").write_text(f"{CANARY}\n{CANARY}: 2\n")
        file = tmp_path / "config"
        file.write_text(config("https://127.0.0.1:9", {"tokenFile": "token"}))
        monkeypatch.setenv("KUBECONFIG", str(file))
        with pytest.raises(CannotRead, match="its token holds characters") as caught:
            KubeApi.collect(Host())
        assert CANARY not in str(caught.value)

    def test_no_yaml_of_a_file_is_shown(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file = tmp_path / "config"
        file.write_text(f"a: 1\nroot:{CANARY}: [x\n")
        monkeypatch.setenv("KUBECONFIG", str(file))
        with pytest.raises(CannotRead, match="it is not YAML") as caught:
            kubeconfig.current()
        assert CANARY not in str(caught.value)

    def test_data_comes_before_files_and_the_first_file_counts(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        data = base64.b64encode(b"key").decode()
        first, second = tmp_path / "first", tmp_path / "second"
        first.write_text(config("https://first", {"client-key-data": data, "client-key": "/nonexistent"}))
        second.write_text(config("https://second", {"token": "second"}))
        monkeypatch.setenv("KUBECONFIG", f"{first}:{second}")
        found = kubeconfig.current()
        assert found.config["clusters"][0]["cluster"]["server"] == "https://first"
        assert found.user == {"client-key-data": data}


def test_mode_of_what_is_made(place: Path) -> None:
    """The fixtures are what they say: a stranger's file in a stranger's home."""
    file = strangers_home(place, "")
    assert (file.stat().st_uid, stat.S_IMODE(file.stat().st_mode) & 0o022) == (STRANGER, 0)
