"""A lab: an outside world, a control-plane node and workers; started from prepared layers, removed without trace."""

import json
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from . import cgroups, network, readiness
from .config import LOCKS, LOGS, NODE_IP, RUNS
from .images import IMAGES, WORKER_IMAGES
from .node import Node
from .place import NODE, OUTSIDE
from .processes import Argument, LabError, end, locked, run, spawned, wait_for
from .programs import program
from .requirements import few_inotify_instances
from .roots import FIREWALLD_STEPS, NODEFILES, ROOTFS
from .steps import remove
from .wheels import PYTHON, WHEEL

BUSY_DEADLINE = 150.0


class Lab:
    """The lab of one name; several may run side by side, sharing nothing but read-only layers."""

    def __init__(self, name: str = "lab") -> None:
        self.name, self.run = name, RUNS / name
        self.node = Node(self.run, name, NODE)
        self._state: dict[str, Any] = {}

    # --- what is there
    @property
    def state(self) -> dict[str, Any]:
        """What this lab was started with; empty when there is nothing of it."""
        with suppress(OSError, ValueError):
            return dict(json.loads((self.run / "state.json").read_text()))
        return {}

    @property
    def running(self) -> bool:
        """Whether its node runs."""
        return self.node.init is not None

    @property
    def ready(self) -> bool:
        """Whether its last start came to its end and the node still runs."""
        return bool(self.state.get("ready")) and self.running

    def lock(self) -> Any:
        """A context in which no other invocation changes this lab."""
        return locked(LOCKS / self.name, f"lab {self.name}", BUSY_DEADLINE)

    def _note(self, **values: Any) -> None:
        """Write down what is about to be made, so that a later invocation can remove it whatever happens to this."""
        self._state |= values
        new = self.run / "state.new"
        new.write_text(json.dumps(self._state, default=str))
        new.rename(self.run / "state.json")

    # --- starting
    def start(
        self, layers: Sequence[Path], containerd: Path | None, firewalld: str | None = None,
        files: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        """Start the outside world and the control-plane node on these layers; ready it is not yet.

        `files` are put on the node first, path to text. Raises LabError.
        """
        parents = cgroups.hierarchies()
        names = (f"lab-{self.name}-{OUTSIDE}", self.node.group)
        self.run.mkdir(parents=True)
        self._state = {"started": time.time(), "firewalld": firewalld, "ready": False, "workers": [],
                       "layers": list(layers), "groups": [p / n for n in names for p in parents]}  # fmt: skip
        self._note()
        outside = self._groups(OUTSIDE)
        cgroups.make(outside)
        (self.run / OUTSIDE).mkdir()
        network.start_outside(self.run / OUTSIDE, outside, program("labtool"), program("coredns"))
        self._boot(self.node, NODE_IP, layers, containerd, files)

    def _groups(self, name: str) -> list[Path]:
        return [Path(g) for g in self._state["groups"] if Path(g).name == f"lab-{self.name}-{name}"]

    def _boot(
        self, node: Node, ip: str, layers: Sequence[Path], containerd: Path | None, files: dict[str, str] | None = None
    ) -> None:
        groups = self._groups(node.name)
        cgroups.make(groups)
        node.run.mkdir()
        # in the outside's group: on cgroup v2 a node's own top group may hold no process
        network.hold_namespace(node.run, self._groups(OUTSIDE), program("labtool"))
        network.connect(network.holder(self.run / OUTSIDE), network.holder(node.run), ip)
        node.boot(layers, containerd, groups, files)

    def up(
        self, layers: Sequence[Path], prepared: Sequence[Path], firewalld: str | None, workers: int,
        manifests: dict[str, str] | None = None, again: bool = True,
    ) -> None:  # fmt: skip
        """Start from the prepared layers (topmost first) and wait until everything answers.

        With `manifests`, the gateway modules' provider runs outside. A node that does not come up is started once more
        if `again`; what it said is kept in the cache's logs. Leaves nothing else behind when it fails. Raises LabError.
        """
        try:
            all_layers = [*layers, *(p / "upper" for p in prepared), NODEFILES.folder, ROOTFS.folder]
            self.start(all_layers, prepared[0] / "containerd", firewalld, manifests)
            if manifests:
                network.start_provider(self.run / OUTSIDE, self._groups(OUTSIDE))
            readiness.wait_ready(self.node)
            for number in range(1, workers + 1):
                self.add_worker(number)
            if workers:
                api = readiness.api_of(self.node)
                wait_for(lambda: readiness.reported_ready(self.node, api), "Ready conditions", 60)
            self._note(ready=True)
        except LabError as error:
            told = self._keep_story(error)
            scarce = few_inotify_instances()
            self.down()
            if scarce:
                raise LabError(f"{error}; {scarce}") from error
            if not again:
                raise
            print(f"lab {self.name}: {error} (see {told}); it is started once more", file=sys.stderr)
            self.up(layers, prepared, firewalld, workers, manifests, again=False)
        except BaseException:
            self.down()
            raise

    def _keep_story(self, error: LabError) -> Path:
        """Write down why the node did not come up, as far as it can be asked."""
        story = LOGS / f"lab-{self.name}-not-up.log"
        asked = "ctr -n k8s.io tasks ls; ip -br address; uptime; free -m; journalctl --no-pager -n 150"
        with suppress(LabError):
            story.write_text(f"{error}\n{self.node.execute(asked, check=False).stdout}")
        return story

    def add_worker(self, number: int) -> None:
        """A further node: kubeadm join, its own part of the pod network, host routes in both directions."""
        worker = Node(self.run, self.name, f"worker{number}")
        ip, part = f"10.77.0.{2 + number}", f"10.244.{number}"
        parents = cgroups.hierarchies()
        self._note(workers=[*self._state["workers"], worker.name],
                   groups=[*self._state["groups"], *(p / worker.group for p in parents)])  # fmt: skip
        conflist = json.loads((NODEFILES.folder / "etc/cni/net.d/1-k8s.conflist").read_text())
        conflist["plugins"][0]["ipam"] |= {"rangeStart": f"{part}.2", "rangeEnd": f"{part}.254", "gateway": f"{part}.1"}
        # the file wins over the container's own host name; and the kubelets' shared configuration names the certificate
        # authority where minikube has it, which is not where kubeadm join puts it
        files = {
            "etc/cni/net.d/1-k8s.conflist": json.dumps(conflist),
            "etc/hostname": worker.name + "\n",
            "var/lib/minikube/certs/ca.crt": self.node.execute("cat /var/lib/minikube/certs/ca.crt").stdout,
        }
        self._boot(worker, ip, [NODEFILES.folder, ROOTFS.folder], None, files)
        worker.import_images(p for p in sorted(IMAGES.folder.glob("*.tar")) if p.name.startswith(WORKER_IMAGES))
        join = self.node.execute("kubeadm token create --print-join-command").stdout.split()
        ignored = "--ignore-preflight-errors=SystemVerification,Swap,NumCPU,Mem"
        worker.execute([*join, ignored, f"--node-name={worker.name}"], deadline=120)
        # every pod holds the whole 10.244.0.0/16 for its own link: the bridges answer for the other nodes' pods
        self.node.execute("sysctl -qw net.ipv4.conf.bridge.proxy_arp=1")
        for link in ("default", "bridge"):  # the bridge is made with the first pod
            worker.execute(f"sysctl -qw net.ipv4.conf.{link}.proxy_arp=1", check=False)
        worker.execute(["ip", "route", "add", "10.244.0.0/24", "via", NODE_IP])
        self.node.execute(["ip", "route", "add", f"{part}.0/24", "via", ip])
        for other in range(1, number):
            worker.execute(["ip", "route", "add", f"10.244.{other}.0/24", "via", f"10.77.0.{2 + other}"])
            Node(self.run, self.name, f"worker{other}").execute(["ip", "route", "add", f"{part}.0/24", "via", ip])
        self.node.execute(f"kubectl wait node/{worker.name} --for=condition=Ready --timeout=60s", deadline=70)

    # --- using
    def exec(self, argv: str | Sequence[Argument], *, check: bool = False, stdin: str | Path | None = None,
             deadline: float = 60.0) -> CompletedProcess[str]:  # fmt: skip
        """A command (a list) or shell lines (a string) as root on the node, output captured; `deadline` in seconds."""
        return self.node.execute(argv, check=check, stdin=stdin, deadline=deadline)

    def kubectl(self, argv: str | Sequence[Argument], *, check: bool = False) -> CompletedProcess[str]:
        """`kubectl` on the node; a string is split at blanks."""
        return self.exec(["kubectl", *(argv.split() if isinstance(argv, str) else argv)], check=check)

    def outside(self, argv: str | Sequence[Argument], *, check: bool = False) -> CompletedProcess[str]:
        """A command of this machine's in the outside world's network namespace."""
        argv = ["sh", "-c", argv] if isinstance(argv, str) else argv
        return run(*network.within(network.holder(self.run / OUTSIDE)), *argv, check=check)

    def provider(self, running: bool) -> None:
        """Start or end the gateway modules' provider, as often as wanted; raises LabError."""
        folder = self.run / OUTSIDE
        network.stop_provider(folder)
        if running:
            groups = [Path(g) for g in self.state["groups"]]
            network.start_provider(folder, [g for g in groups if g.name == f"lab-{self.name}-{OUTSIDE}"])

    def provider_log(self) -> list[str]:
        """A line for each request to the provider since the lab started: caller, method, path, status, model.

        Each gateway asks GET /v1/models a few times as it starts; a call of a model is a POST.
        """
        return network.provider_log(self.run / OUTSIDE).splitlines()

    def reboot(self) -> None:
        """Restart the control-plane node as a machine boots: its files stay, and nothing of its network does.

        Waits for its API server, and for nothing else: it may be broken. Raises LabError.
        """
        self._state = self.state
        outside, groups = network.holder(self.run / OUTSIDE), self._groups(self.node.name)
        self.node.power_off()
        network.disconnect(outside, network.holder(self.node.run), NODE_IP)
        cgroups.remove(groups)
        cgroups.make(groups)
        network.hold_namespace(self.node.run, self._groups(OUTSIDE), program("labtool"))
        network.connect(outside, network.holder(self.node.run), NODE_IP)
        self.node.start([Path(layer) for layer in self._state["layers"]], groups)
        api = readiness.api_of(self.node)
        wait_for(lambda: api.ask("/readyz"), "the API server", 120, 0.2)

    # --- removing
    def down(self) -> None:
        """End every process of this lab, remove its groups and files, however its start ended; raises LabError."""
        if not self.run.exists():
            return
        state = self.state
        nodes = [Node(self.run, self.name, path.name) for path in self.run.iterdir() if path.is_dir()]
        pids = [pid for node in nodes for pid in node.processes()]
        outside = [spawned(self.run / OUTSIDE, name) for name in (network.DNS, network.HTTP, network.PROVIDER)]
        end([*pids, *(pid for pid in outside if pid)])
        cgroups.remove([Path(group) for group in state.get("groups", [])])
        for node in nodes:  # nspawn was killed, so it could not
            shutil.rmtree(f"/run/systemd/nspawn/propagate/{node.group}", ignore_errors=True)
        remove(self.run)


def layers_for(firewalld: str | None, with_netdoctor: bool) -> list[Path]:
    """What lies over the prepared layer: netdoctor and its dependencies, and a firewalld that starts at boot."""
    layers = [WHEEL.folder] if with_netdoctor else []
    layers.append(PYTHON.folder)
    return layers + ([FIREWALLD_STEPS[firewalld].folder] if firewalld else [])


def all_labs() -> list[Lab]:
    """Every lab of which there is something, by name."""
    return [Lab(path.name) for path in sorted(RUNS.glob("*")) if path.is_dir()]
