"""The cases of the probes of what the gateway modules need: the fault present, absent, and what only looks like it."""

from __future__ import annotations

from netdoctor.facts.cluster.workloads import Pods
from netdoctor.facts.gateways.gateways import SecretKey
from netdoctor.facts.gateways.listeners import Listeners, ListeningProcess
from netdoctor.facts.gateways.litellm_config import Model
from netdoctor.facts.gateways.postgres_session import LOGIN
from netdoctor.facts.traffic.providers import Providers
from netdoctor.model import Confidence, Severity
from netdoctor.system.traffic import Answer, Reply
from tests.builders import (
    DOWN,
    NODE_ADDRESS,
    NXDOMAIN,
    OK,
    REFUSED,
    SERVFAIL,
    SILENT,
    node_port_service,
    pod,
    postgres,
    services,
)
from tests.gateways.module_builders import gateway, images, modules, policy_answers, provider, servers
from tests.probes.cases import FAIL, NOT_APPLICABLE, PASS, UNKNOWN, Case

UID = "11111111-2222-3333-4444-555555555556"
CASES = [
    Case("database-slots-exhausted", "too few for all replicas", FAIL,
         (modules(gateway(replicas=9)), servers("llm"), postgres(used=10)), "has 87 free connections for the modules, "
         "which may open 90", evidence="100 - 3"),
    Case("database-slots-exhausted", "a login found none", FAIL, (postgres(LOGIN, "too many clients", "53300"),),
         "has no free connection",
         stands_for=("pg-max-connections",)),
    Case("database-slots-exhausted", "enough", PASS, (modules(), servers("llm"), postgres(used=77))),
    Case("database-slots-exhausted", "the modules hold them themselves", PASS,
         (modules(), servers("llm"), postgres(used=95, by=("litellm_llm", "litellm")))),
    Case("database-slots-exhausted", "nobody could count", UNKNOWN, (modules(), servers("llm"), postgres()),
         "accepted no login"),
    Case("database-slots-exhausted", "Postgres comes with the deployment", NOT_APPLICABLE,
         (modules(), servers(later=("litellm/postgres",))), "comes with"),
    Case("provider-name-unresolved", "NXDOMAIN", FAIL, (modules(), provider(lookup=NXDOMAIN)),
         "example.com, the provider of llm, does not resolve"),
    Case("provider-name-unresolved", "no address for IPv4", FAIL,
         (modules(), provider(lookup=Reply(Answer.OK, 1.0)))),
    Case("provider-name-unresolved", "resolves", PASS, (modules(), provider())),
    Case("provider-name-unresolved", "refuses connections", PASS, (modules(), provider(REFUSED))),
    Case("provider-name-unresolved", "a config that nobody understands", UNKNOWN,
         (modules(gateway(models=()), problems=("config.yaml is not YAML",)), Providers(())), "not YAML"),
    Case("provider-unreachable", "refused", FAIL, (modules(), provider(REFUSED)),
         "example.com:8080, the provider of llm"),
    Case("provider-unreachable", "a proxy refuses", FAIL,
         (modules(gateway(models=(Model("gpt", "chat", "api.openai.com:443", "example.com:8080"),))),
          provider(REFUSED)),
         "example.com:8080, the proxy of llm, does not accept connections"),
    Case("provider-unreachable", "connected", PASS, (modules(), provider())),
    Case("provider-unreachable", "no address", UNKNOWN, (modules(), provider(lookup=SERVFAIL)), "no address"),
    Case("node-port-taken", "by another Service", FAIL,
         (modules(), services(more=node_port_service("other/echo", 30100))), "belongs to Service other/echo"),
    Case("node-port-taken", "by another module", FAIL,
         (modules(gateway(), gateway("audio")),), "belongs to module"),
    Case("node-port-taken", "by the module's own Service", PASS,
         (modules(), services(more=node_port_service("litellm/litellm-llm", 30100)))),
    Case("node-port-taken", "nobody knows without the API server", UNKNOWN, (modules(),), unread=DOWN),
    Case("host-port-taken", "by a process", FAIL,
         (modules(gateway(host_network=True)), Listeners((ListeningProcess(4000, "nginx", 77, "/system.slice"),))),
         "is taken by process nginx 77"),
    Case("host-port-taken", "by another module", FAIL,
         (modules(gateway(host_network=True), gateway("audio", host_network=True)), Listeners(())), "module audio"),
    Case("host-port-taken", "by a pod of the module", PASS,
         (modules(gateway(host_network=True)),
          Listeners((ListeningProcess(4000, "python", 77, f"0::/kubepods/pod{UID}/x"),)),
          Pods((pod("llm-1", "litellm", NODE_ADDRESS, {"app": "llm"}, uid=UID),)))),
    Case("host-port-taken", "by a pod that has made a group of the module's name", FAIL,
         (modules(gateway(host_network=True)),
          Listeners((ListeningProcess(4000, "python", 77, f"0::/kubepods/pod{UID[::-1]}/pod{UID}"),)),
          Pods((pod("llm-1", "litellm", NODE_ADDRESS, {"app": "llm"}, uid=UID),))), "is taken by process python 77"),
    Case("host-port-taken", "modules in networks of their own", NOT_APPLICABLE, (modules(),), "no module uses"),
    Case("image-not-obtainable", "never pulled, and not there", FAIL, (modules(), images(pull_policy="Never")),
         "pull policy is Never"),
    Case("image-not-obtainable", "a registry without a name", FAIL, (modules(), images(registry="r.invalid:443")),
         "r.invalid does not resolve"),
    Case("image-not-obtainable", "a registry that is silent", FAIL,
         (modules(), images(registry="r.example:443", reply=SILENT, resolved=True)), "does not answer the host"),
    Case("image-not-obtainable", "pulled each time, from a registry that is gone", FAIL,
         (modules(), images(present=True, pull_policy="Always", registry="r.invalid:443")), "pull policy is Always"),
    Case("image-not-obtainable", "pulled through a mirror", UNKNOWN,
         (modules(), images(registry="r.invalid:443", detour="containerd pulls through a proxy")), "through a proxy"),
    Case("image-not-obtainable", "on the node", PASS, (modules(), images(present=True))),
    Case("image-not-obtainable", "a registry that answers", PASS,
         (modules(), images(registry="r.example:443", reply=OK, resolved=True))),
    Case("secret-key-missing", "missing", FAIL,
         (modules(secrets=(SecretKey("litellm", "keys", "PROVIDER_KEY", "missing"),)),),
         "key PROVIDER_KEY of Secret litellm/keys is missing"),
    Case("secret-key-missing", "two of them", FAIL,
         (modules(secrets=(SecretKey("l", "k", "A", "empty"), SecretKey("l", "k", "B", "missing"))),), "and 1 more"),
    Case("secret-key-missing", "not read", UNKNOWN,
         (modules(secrets=(SecretKey("l", "k", "A", "403 Forbidden"),)),), "403"),
    Case("secret-key-missing", "optional", PASS, (modules(secrets=(SecretKey("l", "k", "A", "missing", True),)),)),
    Case("secret-key-missing", "there", PASS, (modules(),)),
    Case("policy-isolates-modules", "no DNS", FAIL, (modules(), policy_answers("UDP", "TCP")),
         "NetworkPolicy litellm/deny keeps llm from the cluster DNS (UDP 53), the cluster DNS (TCP 53) (read from the "
         "objects", confidence=Confidence.LIKELY),
    Case("policy-isolates-modules", "no DNS over TCP", FAIL, (modules(), policy_answers("TCP")),
         severity=Severity.WARNING, confidence=Confidence.LIKELY),
    Case("policy-isolates-modules", "nothing is closed", PASS, (modules(), policy_answers())),
    *(Case(name, "no modules", NOT_APPLICABLE, (), "no modules")
      for name in ("database-slots-exhausted", "provider-name-unresolved", "provider-unreachable", "node-port-taken",
                   "host-port-taken", "image-not-obtainable", "secret-key-missing", "policy-isolates-modules")),
]  # fmt: skip
