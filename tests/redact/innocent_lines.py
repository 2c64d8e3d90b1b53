"""Lines in which nothing is secret, as nodes, kubelets, CNI plugins and netdoctor itself write them."""

from __future__ import annotations

import base64
import hashlib
import random
import string
import uuid

DICE = random.Random(500)
SAFE = "bcdfghjklmnpqrstvwxz2456789"  # the letters of Kubernetes' random names
BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def _hex(length: int) -> str:
    return "".join(DICE.choices("0123456789abcdef", k=length))


def _of(letters: str, length: int) -> str:
    return "".join(DICE.choices(letters, k=length))


def _uid() -> str:
    return str(uuid.UUID(int=DICE.getrandbits(128), version=4))


def _mac() -> str:
    return ":".join(_hex(2) for _ in range(6))


def _v6() -> str:
    return ":".join(f"{DICE.getrandbits(16):x}" for _ in range(8))


def _pod() -> str:
    return f"{DICE.choice(('coredns', 'kube-proxy', 'litellm-llm', 'postgres'))}-{_of(SAFE, 10)}-{_of(SAFE, 5)}"


def _fingerprint() -> str:
    return base64.b64encode(hashlib.sha256(_hex(8).encode()).digest()).decode().rstrip("=")


FIXED = (
    'password authentication failed for user "app"',
    "the password is wrong (SQLSTATE 28P01)",
    "token expired",
    "https://192.0.2.10:8443/version",
    "net.ipv4.ip_forward = 1",
    "nft: reject with icmpx admin-prohibited",
    'secret "litellm-keys" not found',
    'MountVolume.SetUp failed for volume "tls" : secret "tls" not found',
    "Secret default/litellm-keys: the key OPENAI_API_KEY is missing",
    "--tls-private-key-file=/etc/kubernetes/pki/apiserver.key",
    "--service-account-key-file=/etc/kubernetes/pki/sa.pub",
    "--authorization-mode=Node,RBAC",
    "--enable-bootstrap-token-auth=true",
    "automountServiceAccountToken: false",
    "tokenExpirationSeconds: 3607",
    "secretName: litellm-tls",
    "key: node-role.kubernetes.io/control-plane",
    "x509: certificate signed by unknown authority",
    "invalid bearer token",
    "Unable to authenticate the request: invalid bearer token",
    "couldn't get current server API group list: the server has asked for the client to provide credentials",
    "failed to fetch token: context deadline exceeded",
    "no basic auth credentials",
    "Access denied for user 'x'@'h' (using password: YES)",
    "kubernetes-admin@kubernetes",
    "registry.k8s.io/pause:3.10@sha256:ee6521f290b2168b6e0935a181d4cff9be1ac3f505666ef0e3c98fae8199917a",
    "npm ERR! 404 https://registry.npmjs.org/@types/node",
    "git clone ssh://git@github.com/a/b.git",
    "mailto:somebody@example.org",
    "password_encryption = scram-sha-256",
    "host all all 10.244.0.0/16 scram-sha-256",
    "21 pass, 12 fail, 4 blocked",
    "topologyKey: kubernetes.io/hostname",
    "--discovery-token-ca-cert-hash sha256:" + "ab12" * 16,
    "prompt_tokens: 812",
    "max_tokens=4096",
    "secretKeyRef: {name: litellm-keys, key: OPENAI_API_KEY}",
    "imagePullSecrets: [{name: regcred}]",
    "api_key: os.environ/OPENAI_API_KEY",
    "PGPASSWORD=$POSTGRES_PASSWORD psql",
    "LITELLM_MASTER_KEY is empty",
    "the Secret has no key DATABASE_URL",
    "PWD=/root",
    "Basic authentication is disabled",
    "Bearer tokens are rotated",
    "set-cookie is not sent",
    "kind: Secret",
    "type: kubernetes.io/tls",
    "kube-system/kube-proxy-token",
    "auth: none",
    "cert-manager.io/issuer-name: ca",
    "a pass over 12 rules",
    "bypass: 3",
    "compass=5",
    "rule 3: key exchange failed",
    "author: somebody",
    "tokenizer: cl100k_base",
    "keyboard: us",
    "secretary: 1",
    "password: ${DB_PASSWORD}",
    "passwordSecretRef: {name: x}",
    '-A INPUT -m comment --comment "kubernetes firewall" -j KUBE-FIREWALL',
    "PasswordAuthentication no",
)
MADE = (
    lambda: f"image docker.io/library/postgres@sha256:{_hex(64)}",
    lambda: f"  uid: {_uid()}",
    lambda: f"-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp --dport 443 -j KUBE-SVC-{_of(BASE32, 16)}",
    lambda: f"-A KUBE-SVC-{_of(BASE32, 16)} -j KUBE-SEP-{_of(BASE32, 16)}",
    lambda: f"-A POSTROUTING -s 10.244.0.{DICE.randrange(255)}/32 -j CNI-{_hex(24)}",
    lambda: f"chain service-{_of(BASE32, 8)}-default/echo/tcp/http {{ # handle {DICE.randrange(9999)}",
    lambda: f"containerd://{_hex(64)}",
    lambda: f'name: \\"bridge\\" id: \\"{_hex(64)}\\"',
    lambda: f"link/ether {_mac()} brd ff:ff:ff:ff:ff:ff",
    lambda: f"inet6 {_v6()}/64 scope global",
    lambda: f"pod kube-system/{_pod()} -> 10.96.0.10:53/udp",
    lambda: f"/var/lib/kubelet/pods/{_uid()}/volumes/kubernetes.io~projected/kube-api-access-{_of(SAFE, 5)}",
    lambda: f'resourceVersion: "{DICE.randrange(10**9)}"',
    lambda: f"Linux 5.15.0-{DICE.randrange(300)}.{DICE.randrange(90)}.el9uek.x86_64",
    lambda: f"SHA256:{_fingerprint()} root@node (ED25519)",
    lambda: ":".join(_hex(2).upper() for _ in range(32)),
    lambda: f"/run/containerd/io.containerd.runtime.v2.task/k8s.io/{_hex(64)}/rootfs",
    lambda: (
        f"cgroup /kubepods.slice/kubepods-besteffort-pod{_uid().replace('-', '_')}.slice/cri-containerd-{_hex(64)}.scope"
    ),
    lambda: f"veth{_hex(8)}@if{DICE.randrange(99)}: <BROADCAST,MULTICAST,UP> mtu 1500 master bridge",
    lambda: f"  undo   sudo netdoctor undo   (run 20261126T{DICE.randrange(10**6):06d}Z-{_hex(4)})",
    lambda: f"netns /var/run/netns/{_uid()}",
    lambda: (
        f"{DICE.randrange(10**9)}.{DICE.randrange(10**9)} IP 10.244.0.7.{DICE.randrange(65535)} > 10.96.0.10.53: {DICE.randrange(65535)}+ A?"
    ),
    lambda: f"k8s_coredns_{_pod()}_kube-system_{_uid()}_0",
    lambda: f"github.com/vishvananda/netns v0.0.0-2021{DICE.randrange(10**10):010d}-{_hex(12)}",
    lambda: f"machine-id {_hex(32)} boot-id {_uid()}",
    lambda: f'-A cali-FORWARD -m comment --comment "cali:{_of(string.ascii_letters + string.digits, 16)}" -j RETURN',
    lambda: f"etcd member {_hex(16)} raft term {DICE.randrange(99)}",
    lambda: (
        f"tcp ESTABLISHED src=10.244.0.{DICE.randrange(255)} dst=10.96.0.1 sport={DICE.randrange(65535)} dport=443 mark=0 use=1"
    ),
    lambda: f"ip-10-0-{DICE.randrange(255)}-{DICE.randrange(255)}.eu-central-1.compute.internal Ready i-0{_hex(16)}",
    lambda: f"ocid1.instance.oc1.phx.{_of('abcdefghijklmnopqrstuvwxyz234567', 60)}",
)


def innocent_lines(count: int = 500) -> list[str]:
    """So many lines; the same in each run."""
    lines = list(FIXED)
    while len(lines) < count:
        lines.append(MADE[len(lines) % len(MADE)]())
    return lines
