"""The API server: found by kubeconfig, asked in plain JSON, with a time limit on every request."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from netdoctor.errors import CannotRead
from netdoctor.host import Host

CONNECT_SECONDS, READ_SECONDS = 1.2, 4.0  # a SYN that is lost is sent again after 1 s
# where kubeadm and minikube's none driver leave an administrator's kubeconfig
KUBECONFIGS = ("/etc/kubernetes/admin.conf", "/root/.kube/config", "/var/lib/minikube/kubeconfig")


class ApiError(CannotRead):
    """The API server answered with an error status."""

    def __init__(self, source: str, status: int, reason: str) -> None:
        super().__init__(source, f"{status} {reason}")
        self.status = status


class KubeApi:
    """API server"""

    def __init__(self, client: Any, kubeconfig: str) -> None:
        """Requests to one API server. Every method raises CannotRead; ApiError where the server did answer."""
        self._client, self.kubeconfig = client, kubeconfig
        self.server, self.version = str(client.configuration.host), ""

    @classmethod
    def collect(cls, host: Host) -> KubeApi:
        """The API server of the kubeconfig, which has said its version. Raises CannotRead."""
        api = connect(host)
        api.version = str(api.get("/version").get("gitVersion", ""))
        return api

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """The object or list at this path, as in `/api/v1/pods`; `query` becomes the query string."""
        return self._request("GET", path, query)

    def find(self, path: str) -> dict[str, Any] | None:
        """The object at this path, None where there is none."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def text(self, path: str, **query: str) -> str:
        """What is at this path as text, such as a container's log."""
        return self._send("GET", path, query).decode(errors="replace")

    def create(self, path: str, obj: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object in the collection at this path."""
        return self._request("POST", path, {}, obj)

    def delete(self, path: str, grace_seconds: int | None = None, uid: str = "") -> None:
        """Delete the object at this path; one that is gone already is no error.

        `uid`: only this very object, and not another that has its name by now: the API server refuses that.
        """
        body: dict[str, Any] = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        if grace_seconds is not None:
            body["gracePeriodSeconds"] = grace_seconds
        if uid:
            body["preconditions"] = {"uid": uid}
        try:
            self._request("DELETE", path, {}, body)
        except ApiError as error:
            if error.status != 404:
                raise

    def _request(
        self, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        data = self._send(method, path, query, body)
        try:
            answer = json.loads(data)
        except ValueError as error:
            raise CannotRead(f"API server {self.server}", f"{method} {path} did not answer in JSON") from error
        if not isinstance(answer, dict) or ("kind" not in answer and path != "/version" and "/proxy/" not in path):
            raise CannotRead(f"API server {self.server}", f"{method} {path} did not answer with a Kubernetes object")
        return answer

    def _send(self, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any] | None = None) -> bytes:
        import urllib3

        where = f"API server {self.server}"
        url = self.server + path + ("?" + urlencode(query) if query else "")
        headers = {"Accept": "application/json", "Content-Type": "application/json", "User-Agent": "netdoctor"}
        self._client.update_params_for_auth(headers, [], ["BearerToken"], None, method, None)
        try:
            reply = self._client.call_api(
                method, url, headers, body=body, _request_timeout=(CONNECT_SECONDS, READ_SECONDS)
            )
            data: bytes = reply.read()
        except urllib3.exceptions.HTTPError as error:
            raise CannotRead(where, _plain_reason(error)) from error
        except Exception as error:  # the client lets ssl, OSError and its own ApiException through
            raise CannotRead(where, _plain_reason(error)) from error
        if not 200 <= reply.status < 300:
            raise ApiError(f"{where} {method} {path}", reply.status, _message_of(data))
        return data


def _plain_reason(error: Exception) -> str:
    cause = getattr(error, "reason", None) or error
    text = str(cause)
    for words, plain in (
        ("Connection refused", "connection refused"),
        ("timed out", "no answer within the time limit"),
        ("No route to host", "no route to host"),
        ("Network is unreachable", "network is unreachable"),
        ("Name or service not known", "its name does not resolve"),
        ("Failed to resolve", "its name does not resolve"),
        ("CERTIFICATE_VERIFY_FAILED", "its certificate is not signed by the kubeconfig's authority"),
    ):
        if words in text:
            return plain
    return " ".join(text.split())[:200] or type(error).__name__


def _message_of(data: bytes) -> str:
    try:
        return str(json.loads(data)["message"])
    except (ValueError, KeyError, TypeError):
        return data.decode(errors="replace").strip()[:200]


def find_kubeconfig() -> str:
    """The path of the kubeconfig to use; several, as KUBECONFIG may name them. Raises CannotRead for none."""
    named = [p for p in os.environ.get("KUBECONFIG", "").split(os.pathsep) if p]
    if readable := [p for p in named if os.access(p, os.R_OK)]:
        return os.pathsep.join(readable)
    candidates = named
    if not candidates:
        candidates = list(KUBECONFIGS)
        homes = [os.environ.get("HOME", "")]
        if user := os.environ.get("SUDO_USER"):
            try:
                homes.append(pwd.getpwnam(user).pw_dir)
            except KeyError:
                homes.append("")
        candidates += [f"{home}/.kube/config" for home in homes if home]
    for path in candidates:
        if os.access(path, os.R_OK):
            return path
    raise CannotRead("kubeconfig", f"none that can be read: {', '.join(dict.fromkeys(candidates))}")


def connect(host: Host) -> KubeApi:  # noqa: ARG001 - the one place where a remote target would differ
    """The API server that the kubeconfig names; nothing is asked yet. Raises CannotRead."""
    path = find_kubeconfig()
    from kubernetes import config

    try:
        client = config.new_client_from_config(config_file=path, persist_config=False)
        pool = client.rest_client.pool_manager
        _load_certificates(pool)
    except (TypeError, AttributeError) as error:  # the client expects mappings and lists where they should be
        raise CannotRead(f"kubeconfig {path}", "it cannot be used: it is no kubeconfig") from error
    except Exception as error:  # ConfigException, YAML errors, missing files: all mean the same to the user
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise CannotRead(f"kubeconfig {path}", f"it cannot be used: {reason}") from error
    finally:
        config.kube_config._cleanup_temp_files()
    pool.connection_pool_kw["retries"] = False  # the default is three more tries, each with its own time limit
    return KubeApi(client, path)


def _load_certificates(pool: Any) -> None:
    """Read certificates and key into memory: the client has them in files, which a kill -9 would leave in /tmp."""
    from urllib3.util.ssl_ import create_urllib3_context

    settings = pool.connection_pool_kw
    context = create_urllib3_context(cert_reqs=settings.get("cert_reqs"))
    authority, data = settings.pop("ca_certs", None), settings.pop("ca_cert_data", None)
    if authority or data:
        context.load_verify_locations(authority, cadata=data)
    else:
        context.load_default_certs()
    certificate, key = settings.pop("cert_file", None), settings.pop("key_file", None)
    if certificate:
        context.load_cert_chain(certificate, key)
    settings["ssl_context"] = context
