"""Lines that name objects beside a word such as key, token or password: a report without the names is of no use."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable

DICE = random.Random(600)
SAFE = "bcdfghjklmnpqrstvwxz2456789"  # the letters of Kubernetes' random names
HEX = "0123456789abcdef"
SECRETS = (
    "litellm-secrets", "postgres-credentials", "app-token", "tls-cert", "module-keys", "db-password", "regcred",
    "master-key", "sh.helm.release.v1.litellm.v12", "bootstrap-token-ab12cd", "k8s-keys", "oauth2-proxy",
)  # fmt: skip
PODS = (
    "litellm-llm", "secret-operator", "token-refresher", "keycloak", "vault-agent", "password-reset", "oauth2-proxy",
    "cert-manager-webhook", "external-secrets-webhook", "auth",
)  # fmt: skip
NAMESPACES = ("litellm", "default", "kube-system", "secrets", "vault", "keycloak", "auth-system")


def _of(letters: str, length: int) -> str:
    return "".join(DICE.choices(letters, k=length))


def _secret() -> str:
    return DICE.choice(SECRETS) + DICE.choice(("", f"-{_of(SAFE, 10)}"))


def _pod() -> str:
    return f"{DICE.choice(PODS)}-{_of(SAFE, 10)}-{_of(SAFE, 5)}"


def _namespace() -> str:
    return DICE.choice(NAMESPACES)


def _uid() -> str:
    return str(uuid.UUID(int=DICE.getrandbits(128), version=4))


LINES: tuple[Callable[[], str], ...] = (
    lambda: f"key PROVIDER_KEY of Secret {_namespace()}/{_secret()} is empty",
    lambda: f"Secret {_namespace()}/{_secret()} does not exist",
    lambda: f"Secret {_secret()} does not exist in namespace {_namespace()}",
    lambda: f'secret "{_secret()}" not found',
    lambda: f'secrets "{_secret()}" is forbidden: User "system:node:minikube" cannot get resource "secrets"',
    lambda: f'Error from server (NotFound): secrets "{_secret()}" not found',
    lambda: f"couldn't find key DATABASE_URL in Secret {_namespace()}/{_secret()}",
    lambda: f"couldn't find key MASTER_KEY in Secret {_namespace()}/{_secret()}",
    lambda: (
        f'MountVolume.SetUp failed for volume "keys" : references non-existent secret key: {DICE.choice(["tls.key", "ca.crt", "PROVIDER_KEY"])}'
    ),
    lambda: f"secret/{_secret()} created",
    lambda: f"secret/{_secret()} unchanged",
    lambda: f"deployment.apps/{DICE.choice(['keycloak', 'token-refresher'])} configured",
    lambda: f"pod {_namespace()}/{_pod()} -> 10.96.0.1:443",
    lambda: f"pod/{_pod()} deleted",
    lambda: (
        f"Service {_namespace()}/{DICE.choice(['vault', 'auth', 'token-service', 'secret-store', 'keycloak'])}: no endpoints"
    ),
    lambda: f"module keys are in Secret {_secret()}",
    lambda: (
        f"the Secret {_secret()} has no key {DICE.choice(['PROVIDER_KEY', 'DATABASE_URL', 'LITELLM_MASTER_KEY', 'tls.crt'])}"
    ),
    lambda: f"the keys of {_secret()} are not read",
    lambda: f"Deployment {_namespace()}/litellm-llm wants key MASTER_KEY of Secret {_secret()}",
    lambda: f"ServiceAccount token of {_pod()} is mounted",
    lambda: f"token of pod {_pod()}",
    lambda: (
        f"webhook {DICE.choice(['cert-manager-webhook', 'validate.nginx.ingress.kubernetes.io'])} denied the request"
    ),
    lambda: (
        f'failed calling webhook "{DICE.choice(["vpod.kb.io", "mutate.kyverno.svc-fail", "webhook.cert-manager.io"])}": Post "https://cert-manager-webhook.{_namespace()}.svc:443/mutate?timeout=10s": context deadline exceeded'
    ),
    lambda: f'Post "https://10.96.{DICE.randrange(255)}.7:443/validate-v1-secret-{_of(SAFE, 5)}?timeout=30s": EOF',
    lambda: f'password authentication failed for user "{DICE.choice(["app", "litellm", "postgres"])}"',
    lambda: f'FATAL:  role "{DICE.choice(["app", "litellm_rw", "svc_reader"])}" does not exist',
    lambda: (
        f'no pg_hba.conf entry for host "10.244.0.{DICE.randrange(255)}", user "litellm", database "litellm", no encryption'
    ),
    lambda: f"host all all 10.244.0.{DICE.randrange(255)}/32 md5",
    lambda: "hostssl all litellm 0.0.0.0/0 scram-sha-256",
    lambda: f"pg_hba.conf line {DICE.randrange(200)}: host all all ::1/128 md5",
    lambda: f"pg_hba: md5 for 10.244.0.0/{DICE.randrange(8, 30)}",
    lambda: f"auth failed for user: {DICE.choice(['app', 'litellm'])}",
    lambda: f"auth failed for litellm:{DICE.choice(['5432', 'timeout', 'no route to host'])}",
    lambda: f"login as app/{DICE.choice(['minikube', 'default', 'postgres'])}",
    lambda: f"authentication failed for {_namespace()}/{_pod()}: timeout",
    lambda: f"Login succeeded on tty{DICE.randrange(9)}",
    lambda: f"systemd-logind.service: login session {DICE.randrange(99)} of user root",
    lambda: f"SQLSTATE {DICE.choice(['28P01', '28000', '3D000', '08006', '57P03', '53300'])}",
    lambda: f"unit kubelet.service, MainPID={DICE.randrange(99999)}, since 2026-11-26T14:{DICE.randrange(10, 60)}:22Z",
    lambda: "unit run-credentials-systemd\\x2dtmpfiles\\x2dsetup.service.mount",
    lambda: f"systemd-creds@{DICE.randrange(9)}.service loaded",
    lambda: f"sysctl net.ipv4.conf.{DICE.choice(['eth0', 'veth' + _of(HEX, 8)])}.rp_filter = {DICE.randrange(3)}",
    lambda: "net.ipv4.tcp_fastopen_key = 00000000-00000000-00000000-00000000",
    lambda: (
        f"inet firewalld filter_FORWARD_POLICIES handle {DICE.randrange(999)} (ip daddr 10.244.0.10 reject with icmpx admin-prohibited)"
    ),
    lambda: f"chain KUBE-SVC-{_of('ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', 16)} handle {DICE.randrange(999)}",
    lambda: f"chain KUBE-EXT-{_of('ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', 16)}: no rule",
    lambda: f"set KUBE-SRC-{_of('ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', 16)} {{ type ipv4_addr }}",
    lambda: f"cali-tw-cali{_of(HEX, 11)} -m mark --mark 0x{_of(HEX, 8)}/0x{_of(HEX, 8)}",
    lambda: f"CNI-DN-{_of(HEX, 21)} -p tcp --dport 80 -j DNAT",
    lambda: (
        f"resourceVersion {DICE.randrange(10**8)} generation {DICE.randrange(50)} observedGeneration {DICE.randrange(50)}"
    ),
    lambda: f"pod-template-hash: {_of(SAFE, 10)}",
    lambda: f"controller-revision-hash: {_of(SAFE, 10)}",
    lambda: f"ReplicaSet {_namespace()}/litellm-llm-{_of(SAFE, 10)}",
    lambda: f"sandbox {_of(HEX, 64)} of pod {_pod()}",
    lambda: f"image ghcr.io/berriai/litellm@sha256:{_of(HEX, 64)}",
    lambda: f"sha256:{_of(HEX, 64)}",
    lambda: f"Pulled image registry.local:5000/vault:1.{DICE.randrange(20)}.2-{_of(HEX, 7)}",
    lambda: f"uid {_uid()}; kind Secret; name {_secret()}",
    lambda: f"configmap {_namespace()}/kube-root-ca.crt",
    lambda: f"lease plndr-svcs-lock holder {_of(SAFE, 5)}_{_uid()}",
    lambda: f"fe80::{_of(HEX, 4)}:{_of(HEX, 2)}ff:fe{_of(HEX, 2)}:{_of(HEX, 4)}%eth0",
    lambda: f"2001:db8:{_of(HEX, 4)}::{_of(HEX, 4)}/64 via fe80::1 dev eth0",
    lambda: f"{':'.join(_of(HEX, 2) for _ in range(6))} REACHABLE",
    lambda: f"https://provider.example.com/v1/chat/completions answers 401 after 0.{DICE.randrange(10, 99)} s",
    lambda: "https://api.openai.com/v1/models: 403",
    lambda: "GET /webhook/health HTTP/1.1 200",
    lambda: f"/hooks/pre-start.sh exited with {DICE.randrange(9)}",
    lambda: "post-start hook rbac/bootstrap-roles ok",
    lambda: (
        f"poststarthook/{DICE.choice(['rbac/bootstrap-roles', 'start-apiextensions-controllers', 'crd-informer-synced', 'start-service-ip-repair-controllers', 'apiservice-registration-controller', 'start-kubernetes-service-cidr-controller'])} ok"
    ),
    lambda: f"hook/pre-install-{_of(SAFE, 5)}?weight=5",
    lambda: "helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded",
    lambda: f"netfilter hook/prerouting-{DICE.randrange(9)}?priority=-100",
    lambda: f"nft hook forward priority filter + {DICE.randrange(9)}",
    lambda: (
        f'could not translate host name "postgres.{_namespace()}.svc.cluster.local" to address: Name or service not known'
    ),
    lambda: f"lookup postgres.{_namespace()}.svc.cluster.local on 10.96.0.10:53: no such host",
    lambda: f"dial tcp 10.96.{DICE.randrange(255)}.1:443: connect: no route to host",
    lambda: f"veth{_of(HEX, 8)}@if{DICE.randrange(99)}: state UP",
    lambda: f"cali{_of(HEX, 11)}@if4 mtu 1450",
    lambda: f"getty@tty{DICE.randrange(9)}.service active",
    lambda: f"user@{DICE.randrange(1000, 2000)}.service: Deactivated successfully",
    lambda: f"kubernetes-admin@cluster-{DICE.randrange(99)}",
    lambda: f"context admin@node-{DICE.randrange(99)}.example.com",
    lambda: (
        f'invalid argument "{DICE.choice(["yes", "5x", "nope"])}" for "--{DICE.choice(["timeout", "replicas", "enable-bootstrap-token-auth"])}" flag'
    ),
    lambda: f'invalid port number: "{DICE.choice(["99999", "http", "5432x"])}"',
    lambda: f"ValueError: invalid literal for int() with base 10: '{DICE.choice(['abc', '5432x', 'eth0'])}'",
    lambda: f"KeyError: '{DICE.choice(['litellm_params', 'model_list', 'apiVersion', 'PROVIDER_KEY', 'status'])}'",
    lambda: f'missing "=" after "{DICE.choice(["localhost", "litellm", "postgres"])}" in connection info string',
    lambda: (
        f"input_value='{DICE.choice(['enabled', 'gpt-4o-mini-2024-07-18', 'text-embedding-3-small', 'claude-3-5-sonnet-20241022'])}', input_type=str"
    ),
    lambda: (
        f"model {DICE.choice(['gpt-4o-mini-2024-07-18', 'claude-3-5-sonnet-20241022', 'text-embedding-3-small', 'llama-3.1-70b-instruct', 'deepseek-r1-distill-qwen-32b', 'mistral-large-2411', 'gemini-2.0-flash-001'])} answers"
    ),
    lambda: f"/tokens/{DICE.choice(['count', 'verify', 'me'])} HTTP/1.1 200",
    lambda: f"POST /key/{DICE.choice(['generate', 'info', 'delete', 'regenerate', 'block', 'health'])} 401",
    lambda: "GET /key/info?expand=true 200",
    lambda: "/apis/authentication.k8s.io/v1/tokenreviews 201",
    lambda: f"/api/v1/namespaces/{_namespace()}/secrets/{_secret()}",
    lambda: f"/api/v1/namespaces/{_namespace()}/serviceaccounts/default/token",
    lambda: "/var/run/secrets/kubernetes.io/serviceaccount/token: no such file",
    lambda: (
        f"/run/secrets/{DICE.choice(['db_password', 'tls.key', 'litellm-secrets-' + _of(SAFE, 10)])}: permission denied"
    ),
    lambda: "/etc/kubernetes/pki/etcd/healthcheck-client.key: not readable",
    lambda: f"volume {_secret()} of pod {_pod()}: kubernetes.io~secret",
    lambda: f"/var/lib/kubelet/pods/{_uid()}/volumes/kubernetes.io~secret/{_secret()}",
    lambda: f"kube-api-access-{_of(SAFE, 5)} is a projected token volume",
    lambda: f"token-{_of(SAFE, 5)} is mounted at /var/run/secrets",
    lambda: f"default-token-{_of(SAFE, 5)} secret not found",
    lambda: f"Unseal Progress {DICE.randrange(3)}/5",
    lambda: f"Seal Type shamir, Initialized true, Sealed {DICE.choice(['true', 'false'])}, Total Shares 5, Threshold 3",
    lambda: f"PAT is enabled on port {DICE.randrange(65535)}",
    lambda: "PIN: ask the administrator",
    lambda: "license: Apache-2.0",
    lambda: "LICENSE=MIT",
    lambda: "License: GPL-2.0-or-later",
    lambda: '-A INPUT -p tcp -m string --string "GET /admin" --algo bm -j DROP',
    lambda: f"-A INPUT -m recent --name ssh_login_{DICE.randrange(9)} --rsource -j DROP",
    lambda: (
        f'-A INPUT -m comment --comment "allow {DICE.choice(["vault", "keycloak", "auth-service", "token-api"])} {DICE.randrange(9999)}/tcp" -j ACCEPT'
    ),
    lambda: f"xfrm: enc cbc(aes), auth hmac(sha256), {DICE.randrange(99)} states",
    lambda: f"src 10.0.0.1 dst 10.0.0.2 proto esp spi 0x{_of(HEX, 8)} reqid 1 mode tunnel",
    lambda: (
        f"wireguard peer, allowed ips 10.244.{DICE.randrange(255)}.0/24, latest handshake {DICE.randrange(200)} seconds ago"
    ),
    lambda: f"netdoctor run 20261126T{DICE.randrange(10**6):06d}Z-{_of(HEX, 4)}",
    lambda: f"node ip-10-0-{DICE.randrange(255)}-12.eu-central-1.compute.internal is NotReady",
    lambda: f"Kustomization is k8s/kustomization.yaml, generator litellm-secrets, hash {_of(SAFE, 10)}",
    lambda: f"boot id {_uid()}",
    lambda: f"backup code path /usr/libexec/{DICE.choice(['pg_basebackup16', 'velero-plugin1'])}",
    lambda: f"recovery: code path for timeline {DICE.randrange(99)}",
    lambda: f"checkpoint complete: redo lsn={DICE.randrange(9)}/{_of('0123456789ABCDEF', 8)}",
    lambda: f"user app connects from 10.244.0.{DICE.randrange(255)} port {DICE.randrange(65535)}",
    lambda: f"user litellm with database litellm_{DICE.randrange(99)}prod",
    lambda: f"container litellm of pod {_namespace()}/{_pod()} terminated: exit code {DICE.randrange(200)}, Error",
    lambda: (
        f"key {DICE.choice(['litellm-master-key', 'node.kubernetes.io/not-ready', 'app.kubernetes.io/managed-by'])} is set"
    ),
    lambda: "taint key node-role.kubernetes.io/control-plane:NoSchedule",
    lambda: f"etcd key /registry/secrets/{_namespace()}/{_secret()}",
    lambda: f"/registry/pods/{_namespace()}/{_pod()} took {DICE.randrange(999)}ms",
    lambda: f"apiserver.key {DICE.randrange(4000)} bytes",
    lambda: "certificate key usage: digital signature, key encipherment",
    lambda: f"ssh-ed25519 key {DICE.choice(['SHA256:'])}{_of('abcdefABCDEF0123456789+/', 43)}",
    lambda: f"conntrack -D -p udp --orig-dst 10.96.0.10 --orig-port-dst {DICE.randrange(65535)}",
    lambda: f"curl -p -sS http://10.96.{DICE.randrange(255)}.1",
    lambda: f"mkdir -p /etc/netdoctor{DICE.randrange(99)}/conf",
    lambda: f"nsenter -t {DICE.randrange(99999)} -n ss -p",
    lambda: f"ssh -p 2222 node{DICE.randrange(99)}",
    lambda: f"iptables -P FORWARD ACCEPT; iptables -p tcp --dport {DICE.randrange(65535)}",
    lambda: "firewall-cmd --permanent --direct --add-rule ipv4 filter OUTPUT 0 -p udp --dport 53 -j ACCEPT",
    lambda: f"kubectl -n {_namespace()} get secret {_secret()} -o yaml",
    lambda: f"kubectl delete secret {_secret()}",
    lambda: f"kubectl create secret generic {_secret()} --from-env-file=.env",
    lambda: "kubectl create token default --duration=10m",
    lambda: "docker login registry.local:5000",
    lambda: "echo 1 | sudo tee /proc/sys/net/ipv4/ip_forward",
    lambda: "sudo -S is not used",
    # lines of the logs of a node, its pods and Postgres
    lambda: (
        f'I1126 14:{DICE.randrange(10, 60)}:22.{DICE.randrange(10**6):06d} 1 server.go:{DICE.randrange(999)}] "Version info" version="v1.36.{DICE.randrange(9)}"'
    ),
    lambda: (
        f'E1126 1 reflector.go:150] k8s.io/client-go/informers/factory.go:160: Failed to watch *v1.Secret: secrets is forbidden: User "system:serviceaccount:litellm:app{DICE.randrange(99)}" cannot list resource "secrets"'
    ),
    lambda: f'User "system:serviceaccount:kube-system:coredns-{_of(SAFE, 5)}" cannot get resource "nodes"',
    lambda: '"Unable to authenticate the request" err="[invalid bearer token, service account token has expired]"',
    lambda: (
        f'time="2026-11-26T14:34:{DICE.randrange(10, 60)}Z" level=info msg="StopPodSandbox for \\"{_of(HEX, 64)}\\""'
    ),
    lambda: (
        f'msg="RunPodSandbox for &PodSandboxMetadata{{Name:coredns-{_of(SAFE, 10)}-{_of(SAFE, 5)},Uid:{_uid()},Namespace:kube-system,Attempt:{DICE.randrange(9)},}}"'
    ),
    lambda: (
        f'audit: type=1400 apparmor="DENIED" operation="open" profile="cri-containerd.apparmor.d" pid={DICE.randrange(99999)} comm="runc"'
    ),
    lambda: (
        f"sshd[{DICE.randrange(99999)}]: Accepted publickey for opc from 10.0.0.{DICE.randrange(255)} port {DICE.randrange(65535)} ssh2: ED25519 SHA256:{_of('abcdefghijABCDEFGHIJ0123456789+/', 43)}"
    ),
    lambda: f"systemd[1]: Started session-{DICE.randrange(999)}.scope - Session {DICE.randrange(999)} of User opc.",
    lambda: "systemd[1]: Starting systemd-ask-password-console.path",
    lambda: f"systemd-ask-password-wall.service: inactive (dead) since {DICE.randrange(9)} days",
    lambda: (
        f"firewalld[{DICE.randrange(9999)}]: WARNING: ALREADY_ENABLED: rule family=ipv4 source address=10.244.{DICE.randrange(255)}.0/16 accept"
    ),
    lambda: f"LOG:  connection authorized: user=litellm database=litellm application_name=prisma{DICE.randrange(99)}",
    lambda: (
        f'LOG:  connection authenticated: identity="litellm" method=scram-sha-256 (/var/lib/postgresql/data/pg_hba.conf:{DICE.randrange(200)})'
    ),
    lambda: (
        f'DETAIL:  Connection matched file "/var/lib/postgresql/data/pg_hba.conf" line {DICE.randrange(200)}: "host all all all scram-sha-256"'
    ),
    lambda: (
        f'FATAL:  no pg_hba.conf entry for host "10.244.0.{DICE.randrange(255)}", user "litellm", database "litellm", SSL encryption'
    ),
    lambda: f'LOG:  listening on IPv4 address "0.0.0.0", port {DICE.randrange(65535)}',
    lambda: (
        f'[INFO] 10.244.0.{DICE.randrange(255)}:{DICE.randrange(65535)} - {DICE.randrange(65535)} "AAAA IN postgres.litellm.svc.cluster.local. udp {DICE.randrange(99)} false 512" NOERROR qr,aa,rd 147 0.0001s'
    ),
    lambda: (
        f"[ERROR] plugin/errors: 2 {DICE.randrange(10**18)}.{DICE.randrange(10**18)}. HINFO: read udp 10.244.0.7:{DICE.randrange(65535)}->8.8.8.8:53: i/o timeout"
    ),
    lambda: "plugin/forward: no nameservers found; plugin/route53: aws_access_key is not set",
    lambda: (
        f".:53 {{ errors health ready kubernetes cluster.local in-addr.arpa ip6.arpa forward . /etc/resolv.conf {{ max_concurrent {DICE.randrange(9999)} }} }}"
    ),
    lambda: f"[plugin/reload] Running configuration SHA512 = {_of(HEX, 128)}",
    lambda: f'"Using iptables Proxier" ipFamily="IPv{DICE.choice((4, 6))}"',
    lambda: f'"SyncProxyRules complete" elapsed="{DICE.randrange(999)}.{DICE.randrange(999)}ms"',
    lambda: (
        f'10.244.0.{DICE.randrange(255)} - - [26/Nov/2026:14:34:22 +0000] "GET /key/health HTTP/1.1" 200 {DICE.randrange(9999)} "-" "kube-probe/1.36"'
    ),
    lambda: (
        f'INFO: 10.244.0.{DICE.randrange(255)}:{DICE.randrange(65535)} - "POST /v1/chat/completions HTTP/1.1" 401 Unauthorized'
    ),
    lambda: f"Authentication Error, No api key passed in. ({DICE.randrange(999)} requests)",
    lambda: (
        f"litellm.AuthenticationError: AuthenticationError: OpenAIException - The api_key client option must be set (attempt {DICE.randrange(9)})"
    ),
    lambda: f"AUTH attempt {DICE.randrange(9)} of 3",
    lambda: f"AUTH required (run {DICE.randrange(99)})",
    lambda: f"Auth Token Expiry: {DICE.randrange(24)}h",
    lambda: f"bypass={DICE.randrange(9)} compass={DICE.randrange(9)} OLDPWD=/root/k8s{DICE.randrange(9)}",
    lambda: f"user pass-through mode, {DICE.randrange(9)} rules",
    lambda: f"proxy pass to 10.96.0.{DICE.randrange(255)}:80",
    lambda: f"proxy_pass http://10.96.{DICE.randrange(255)}.1:8080/v1;",
    lambda: f"fastcgi_pass unix:/run/php{DICE.randrange(9)}.sock;",
    lambda: "http pass: none",
    lambda: f"key {DICE.randrange(99)} of {DICE.randrange(99)} is read",
    lambda: f"token bucket {DICE.randrange(999)}kbit burst {DICE.randrange(99)}k",
    lambda: f"qdisc tbf {DICE.randrange(9999)}: root rate 1Mbit burst 32Kb lat 50ms",
    lambda: (
        f"conntrack v1.4.{DICE.randrange(9)} (conntrack-tools): {DICE.randrange(99)} flow entries have been deleted."
    ),
    lambda: f"nft add rule inet netdoctor_trace prerouting meta nftrace set {DICE.randrange(2)}",
    lambda: (
        f'trace id {_of(HEX, 8)} inet firewalld filter_IN_public_allow packet: iif "eth0" ether saddr {":".join(_of(HEX, 2) for _ in range(6))}'
    ),
    lambda: f"trace id {_of(HEX, 8)} ip filter INPUT verdict continue; policy accept",
    lambda: f"-A KUBE-MARK-MASQ -j MARK --set-xmark 0x{_of(HEX, 4)}/0x{_of(HEX, 4)}",
    lambda: (
        f'-A CILIUM_PRE_mangle -m comment --comment "cilium: TPROXY to host cilium-dns-egress proxy" -j TPROXY --tproxy-mark 0x{_of(HEX, 8)}/0xffffffff'
    ),
    lambda: f"-A INPUT -m set --match-set cali40s:{_of('abcdefghijABCDEFGHIJ0123456789', 22)[:12]} src -j DROP",
    lambda: f"hash: md5 {_of(HEX, 32)[:7]}",
    lambda: f"crc32c(ae3b{_of(HEX, 4)})",
    lambda: f"gcm(aes) {DICE.randrange(999)} bits; hmac(sha256) {DICE.randrange(9)} SAs",
    lambda: f"value: {DICE.randrange(99)}\n  name: REPLICAS",
    lambda: '- value: "true"\n  key: node-role.kubernetes.io/control-plane',
    lambda: f'{{"value":"hash{DICE.randrange(99)}","name":"POD_TEMPLATE"}}',
    lambda: f"header value: {DICE.randrange(99)} bytes",
    lambda: f"lookup litellm-llm.litellm.svc.cluster.local: i/o timeout after {DICE.randrange(9)}s",
    lambda: f'invalid port "{DICE.choice(("https", "http-metrics", "dns-tcp"))}": not defined by container',
    lambda: f'host name "node-{DICE.randrange(99)}.example.com" is not in the certificate',
    lambda: (
        f"https://10.96.0.1:443/api/v1/namespaces/litellm/pods/litellm-llm-{_of(SAFE, 10)}-{_of(SAFE, 5)}/log?container=litellm&tailLines={DICE.randrange(99)}"
    ),
    lambda: f"https://registry.k8s.io/v2/coredns/coredns/manifests/sha256:{_of(HEX, 64)}",
    lambda: f"https://registry-1.docker.io/v2/library/postgres/blobs/sha256:{_of(HEX, 64)}: 429",
    lambda: (
        f"https://github.com/kubernetes/kubernetes/blob/{_of(HEX, 40)}/pkg/proxy/iptables/proxier.go#L{DICE.randrange(999)}"
    ),
    lambda: f"see https://docs.litellm.ai/docs/proxy/virtual_keys#key-{DICE.randrange(9)}",
    lambda: f"https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-certs/#key-{DICE.randrange(99)}",
    lambda: f"password\n  file /etc/x{DICE.randrange(9)}",
    lambda: f"PGPASSWORD\nis not set in pod litellm-llm-{_of(SAFE, 10)}-{_of(SAFE, 5)}",
    lambda: f"LITELLM_MASTER_KEY\nlitellm-secrets-{_of(SAFE, 10)}",
    lambda: f"veth{_of(HEX, 8)}: port {DICE.randrange(99)}(veth{_of(HEX, 8)}) entered forwarding state",
    lambda: f"Unit dev-disk-by\\x2duuid-{_uid()}.device",
    lambda: f"%41 percent and 100%% done, {DICE.randrange(99)}%",
    lambda: f"C:\\x86 path, &#8594; arrow {DICE.randrange(99)}",
    lambda: f"test_{_of(SAFE, 5)} and live_migration_{DICE.randrange(9)}",
    lambda: f"pat.{DICE.randrange(9)}.{DICE.randrange(9)} access-control-allow-origin",
    lambda: f"ico-{DICE.randrange(99)} tk-us-east-{DICE.randrange(9)} pnu_{DICE.randrange(99)}",
    lambda: "LiteLLM has no master key: LITELLM_MASTER_KEY is empty",
    lambda: f"coredns-not-ready does not pass: 2 of 2 pods are not ready (kube-system/{_pod()})",
    lambda: f"the password of {_namespace()}/postgres-{_of(SAFE, 10)}-{_of(SAFE, 5)} is not known",
    lambda: f"keys: {_namespace()}/{_secret()} written, which only its owner may read",
    lambda: f"the name eth0/{DICE.randrange(99)} cannot be part of a sysctl key: net.ipv4.conf.eth0/10.rp_filter",
    lambda: f"{_of(HEX, 8)}\\x2d{_of(HEX, 4)}.mount and dev-disk-by\\x2duuid-{_of(HEX, 4)}.swap",
)


def lines_with_names(rounds: int = 4) -> list[str]:
    """Each line so many times, with other names; the same in each run."""
    return [line() for _ in range(rounds) for line in LINES]
