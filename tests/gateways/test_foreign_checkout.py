"""deploy and gate in a checkout that somebody else has written, as root on behalf of a user: the whole command."""

from __future__ import annotations

import http.server
import os
import shutil
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from netdoctor.errors import BadInput, CannotRead
from netdoctor.facts.gateways import kustomize
from netdoctor.facts.gateways.kustomization import Kustomization
from netdoctor.system.rights import Rights
from tests.cli.test_cli import one_sentence
from tests.conftest import ROOT
from tests.gateways.test_deploy_cli import SERVER, needs_kubectl, netdoctor

pytestmark = [pytest.mark.thorough, pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who runs it for a user")]
USER = 12345
CANARY = "canary-5d1c9f"


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that every user reaches, in it a file of root's alone, and a checkout of the user behind sudo."""
    folder = Path("/tmp", f"netdoctor-test-{os.getpid()}-{time.monotonic_ns()}")
    folder.mkdir(mode=0o755)
    (folder / "root-only").write_text(f"OPENAI_API_KEY={CANARY}\n")
    (folder / "root-only").chmod(0o600)
    (folder / "closed").mkdir(mode=0o700)
    (folder / "closed/kustomization.yaml").write_text("resources: [secret.yaml]\n")
    secret = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: found}}\ndata: {{key: {CANARY}}}\n"
    (folder / "closed/secret.yaml").write_text(secret)
    shutil.copytree(ROOT / "k8s", folder / "checkout/k8s", ignore=shutil.ignore_patterns(".env"))
    shutil.copytree(ROOT / "overlays", folder / "checkout/overlays")
    subprocess.run(["chown", "-R", f"{USER}:{USER}", str(folder / "checkout")], check=True)
    monkeypatch.setenv("SUDO_UID", str(USER))
    monkeypatch.setenv("SUDO_GID", str(USER))
    yield folder
    shutil.rmtree(folder)


def state(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Owner, mode, and what is in everything in a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        about = path.lstat()
        small = stat.S_ISREG(about.st_mode) and about.st_size < 1 << 20
        held = str(path.readlink()) if path.is_symlink() else path.read_text() if small else ""
        found[str(path.relative_to(folder))] = (about.st_uid, about.st_mode, held)
    return found


# what the checkout's writer has done in its folder k8s; the last part is done by root, as an accident may
DEPLOY = {
    ".env is a link to a new file": "ln -s ../../made.sh .env",
    ".env is a link to root's file": "ln -s ../../root-only .env",
    ".env is a hard link to root's file": "ln ../../root-only .env",
    "the example is a link": "ln -sf ../../root-only .env.example",
    "the example is a hard link": "ln -f ../../root-only .env.example",
    "the example is a link of /proc": "ln -sf /proc/self/environ .env.example",
    "the folder is a link": "cd ..; mv k8s ../elsewhere; ln -s ../elsewhere k8s",
    "the env file's folder is a link": (
        "mkdir -m 777 ../../etc; ln -s ../../etc conf; echo A_PASSWORD= >../../etc/x.sh.example; "
        "echo 'secretGenerator: [{name: s, envs: [conf/x.sh]}]' >kustomization.yaml"
    ),
    "the kustomization is a link": "ln -sf ../../closed/kustomization.yaml .",
    "the base is a link": "echo 'resources: [base]' >kustomization.yaml; ln -s ../../closed base",
    "the env file is a fifo": "mkfifo -m 666 .env",
    "the kustomization is a fifo": "rm kustomization.yaml; mkfifo -m 666 kustomization.yaml",
    "the env file is endless": "truncate -s 1T .env",
    "the env file is a device": "mknod -m 666 .env c 1 5",
}
GATE = ("the folder is a link", "the base is a link", "the env file is a fifo", "the kustomization is a link",
        ".env is a hard link to root's file")  # fmt: skip


@pytest.mark.parametrize(("command", "kind"), [*(("deploy", k) for k in DEPLOY), *(("gate", k) for k in GATE)])
def test_a_checkout_reads_and_writes_nothing_of_roots(place: Path, kind: str, command: str) -> None:
    subprocess.run(["sh", "-euc", DEPLOY[kind]], cwd=place / "checkout/k8s", check=True)
    before = state(place)
    done = netdoctor(command, "-k", "k8s", cwd=place / "checkout")
    assert CANARY not in done.stdout + done.stderr
    assert (done.returncode, "cannot be " in one_sentence(done)) == (2, True)
    assert not (place / "made.sh").exists()
    assert state(place) == before


@pytest.fixture
def answering(tmp_path: Path) -> Iterator[Path]:
    """The kubeconfig of an API server that says its version and nothing else."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = b'{"gitVersion": "v1.36.0"}' if self.path == "/version" else b"{}"
            self.send_response(200 if self.path == "/version" else 404)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is logged."""

    file = tmp_path / "kubeconfig"
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        file.write_text(SERVER.replace("127.0.0.1:9", f"127.0.0.1:{server.server_port}"))
        yield file
        server.shutdown()


@needs_kubectl
def test_keys_are_made_by_the_user_and_are_theirs(place: Path, answering: Path) -> None:
    done = netdoctor("deploy", "-k", "k8s", "--kubeconfig", str(answering), cwd=place / "checkout")
    about = (place / "checkout/k8s/.env").stat()
    assert (about.st_uid, about.st_gid, about.st_mode & 0o777) == (USER, USER, 0o600)
    assert done.stdout.startswith("keys: 7 random ones made in k8s/.env, which only its owner may read\n")
    assert "nothing was deployed (use --force to deploy anyway)" in done.stdout


@needs_kubectl
def test_no_keys_are_made_where_the_user_could_make_none(place: Path, answering: Path) -> None:
    os.chown(place / "checkout/k8s", 0, 0)
    done = netdoctor("deploy", "-k", "k8s", "--kubeconfig", str(answering), cwd=place / "checkout")
    assert done.returncode == 3
    assert "cannot be written" in one_sentence(done)
    assert not (place / "checkout/k8s/.env").exists()


def test_where_root_itself_called_the_folders_owner_counts(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_UID")
    os.link(place / "root-only", place / "checkout/k8s/.env")
    done = netdoctor("deploy", "-k", "k8s", cwd=place / "checkout")
    assert done.returncode == 2
    assert "Permission denied" in one_sentence(done)


@pytest.mark.parametrize("theirs", ["k8s", "k8s/kustomization.yaml"])
def test_root_builds_upon_no_strangers_folder(place: Path, monkeypatch: pytest.MonkeyPatch, theirs: str) -> None:
    """Its owner may put a link to a file of root's in it after netdoctor has looked, and before kustomize reads."""
    monkeypatch.delenv("SUDO_UID")
    subprocess.run(["chown", "-R", "0:0", str(place / "checkout")], check=True)
    os.chown(place / "checkout" / theirs, USER, USER)
    done = netdoctor("gate", "-k", "overlays/lab", cwd=place / "checkout")
    assert done.returncode == 2
    assert f"k8s belongs to uid {USER}, and root builds only root's own files" in one_sentence(done)


@needs_kubectl
class TestBuild:
    """What kubectl itself reads."""

    def test_the_projects_own_manifests_are_built(self, place: Path) -> None:
        shutil.copy(place / "checkout/k8s/.env.example", place / "checkout/k8s/.env")
        os.chown(place / "checkout/k8s/.env", USER, USER)
        for folder in ("k8s", "overlays/lab", "overlays/host-network"):
            assert len(Kustomization.build(str(place / "checkout" / folder)).objects) > 5

    @pytest.mark.parametrize("base", ["../../closed", "{0}/closed"])
    def test_a_base_that_the_user_cannot_read(self, place: Path, base: str) -> None:
        text = f"resources: ['{base.format(place)}']\n"
        (place / "checkout/k8s/kustomization.yaml").write_text(text)
        with pytest.raises((BadInput, CannotRead)) as told:
            Kustomization.build(str(place / "checkout/k8s"))
        assert CANARY not in str(told.value)

    def test_kubectl_itself_reads_with_the_rights_of_the_user(self, place: Path) -> None:
        """A base may become a link to a folder of root's after netdoctor has looked, and before kubectl does."""
        (place / "checkout/k8s/kustomization.yaml").write_text("resources: [../base]\n")
        (place / "checkout/base").symlink_to("../closed")
        done = kustomize.build(str(place / "checkout/k8s"), Rights.of(USER, USER))
        assert done.status
        assert CANARY not in done.stdout + done.stderr
        assert "/closed" in done.stderr  # it got as far as the link

    @pytest.mark.parametrize("what", ["{0}/base.yaml", "git::{0}/repo.git", "{0}/repo.git?ref=main"])
    def test_nothing_is_fetched(self, place: Path, what: str) -> None:
        asked: list[str] = []

        class Server(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_response(404)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        with http.server.HTTPServer(("127.0.0.1", 0), Server) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            url = what.format(f"http://127.0.0.1:{server.server_port}")
            (place / "checkout/k8s/kustomization.yaml").write_text(f"resources: ['{url}']\n")
            with pytest.raises(BadInput, match="cannot be built"):
                Kustomization.build(str(place / "checkout/k8s"))
            server.shutdown()
        assert asked == []

    def test_a_file_that_is_larger_than_the_memory_ends_kubectl_alone(self, place: Path) -> None:
        (place / "checkout/k8s/kustomization.yaml").write_text("configMapGenerator: [{name: c, files: [big]}]\n")
        (place / "checkout/k8s/big").touch()
        os.truncate(place / "checkout/k8s/big", 8 << 30)
        with pytest.raises((BadInput, CannotRead)):
            Kustomization.build(str(place / "checkout/k8s"))
