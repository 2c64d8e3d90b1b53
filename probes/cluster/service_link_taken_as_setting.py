"""A program takes a variable that Kubernetes makes for a Service as its own setting.

## What it checks
Variables called `NAME_PORT` that a container of this node's pods uses in its command or in other variables, and does
not set itself, where a Service of the same namespace is called NAME.

## Why it matters
The kubelet gives each container variables for the Services of its namespace, among them `POSTGRES_PORT` for a Service
`postgres`. Its value is not a number but `tcp://10.96.0.50:5432`, in the old form of Docker's links. A program that
expects a port says that the port is invalid, or makes an address of it that nobody has.

## When it is not a fault
With `enableServiceLinks: false`, or where the container sets the variable. Where the pod is ready it is a warning.

## By hand
`kubectl exec POD -- printenv | grep _PORT=tcp`. Set `enableServiceLinks: false` in the pod's specification, or set the
variable.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Severity, Subject, Values, probe
from netdoctor.facts.cluster.services import Service, Services
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.gateways.pod_environments import PodEnvironment, PodEnvironments, where_to_edit
from netdoctor.model import Confidence


@probe(area=Area.SERVICES, healthy="no Service's variable is taken for a setting")
def service_link_taken_as_setting(
    environments: PodEnvironments, services: Services, this: ThisNode
) -> Iterator[Finding]:
    """Variables that the kubelet makes for a Service and that a container uses."""
    for environment in environments.items if services.items else ():
        if not environment.service_links:
            continue
        for container, variable in environment.refers_to:
            if service := _maker(variable, environment.namespace, services):
                yield _finding(environment, container, variable, service, this)


def _maker(variable: str, namespace: str, services: Services) -> Service | None:
    """The Service for which the kubelet makes this variable."""
    for service in services.items:
        name = service.name.upper().replace("-", "_")
        if service.namespace == namespace and f"{name}_PORT" == variable and service.ports:
            return service
    return None


def _finding(environment: PodEnvironment, container: str, variable: str, service: Service, this: ThisNode) -> Finding:
    port = service.ports[0]
    value = f"{port.protocol.lower()}://{service.cluster_ip}:{port.port}"
    data = Values(pod=str(environment), service=str(service), address=service.cluster_ip, port=port.port)
    return Finding(
        f"container {container} of pod {environment} uses {variable}, which it does not set: Kubernetes makes it for "
        f"Service {service}, as {value}",
        (Evidence(f"variable {variable} of pod {environment}", value, f"a value of its own, as in {port.port}", data),),
        Subject(node=this.name),
        Severity.ERROR if environment.fails else Severity.WARNING,
        Confidence.LIKELY,
        by_hand=where_to_edit(environment),
    )
