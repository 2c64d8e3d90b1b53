"""The API server: found by kubeconfig, asked in plain JSON, with a time limit on every request."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from netdoctor.errors import CannotRead, Why
from netdoctor.redact import excerpt
from netdoctor.system import kubeconfig
from netdoctor.system.host import Host
from netdoctor.system.object_shapes import Misshapen, shaped
from netdoctor.system.read_secrets import remember_objects

NOT_SIGNED = "its certificate is not signed by the kubeconfig's authority"
CONNECT_SECONDS = 1.2  # a SYN that is lost is sent again after 1 s
SECONDS = 7.0  # for a whole answer: a fact has eight
JSON = "application/json"
CONTENT = {"PATCH": "application/json-patch+json"}  # of a request's body, by its method
FIELD_MANAGER = "netdoctor"  # who has changed a field, as the API server remembers it
Body = Mapping[str, Any] | Sequence[Mapping[str, Any]]
LARGEST = 32 << 20  # bytes of an answer: some thousand pods in one list


class ApiError(CannotRead):
    """The API server answered with an error status."""

    def __init__(self, source: str, status: int, reason: str) -> None:
        super().__init__(source, f"{status} {reason}")
        self.status = status


class KubeApi:
    """API server"""

    def __init__(self, client: Any, headers: tuple[tuple[str, str], ...], pool: Any) -> None:
        """Requests to one API server. Every method raises CannotRead; ApiError where the server did answer."""
        self._client, self._headers, self._pool = client, headers, pool
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

    def patch(self, path: str, operations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Change the object at this path by a JSON patch (RFC 6902): all of its operations or none; the object then."""
        return self._request("PATCH", path, {"fieldManager": FIELD_MANAGER}, operations)

    def delete(self, path: str, grace_seconds: int | None = None, uid: str = "") -> None:
        """Delete the object at this path; one that is gone already is not an error.

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

    def _request(self, method: str, path: str, query: Mapping[str, str], body: Body | None = None) -> dict[str, Any]:
        data = self._send(method, path, query, body)
        try:
            answer = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise self._no_answer(f"{method} {path} did not answer in JSON") from error
        remember_objects(answer)
        if not isinstance(answer, dict) or ("kind" not in answer and path != "/version" and "/proxy/" not in path):
            raise self._no_answer(f"{method} {path} did not answer with a Kubernetes object")
        if path == "/version" or "/proxy/" in path:
            return answer
        try:
            return shaped(answer)
        except Misshapen as error:
            raise self._no_answer(f"{method} {path}: {error}") from error

    def _no_answer(self, reason: str) -> CannotRead:
        return CannotRead(f"API server {self.server}", reason, Why.NO_ANSWER)

    def _send(self, method: str, path: str, query: Mapping[str, str], body: Body | None = None) -> bytes:
        from netdoctor.system.bounded_http import ask

        url = self.server + path + ("?" + urlencode(query) if query else "")
        headers = {"Accept": "application/json", "Content-Type": CONTENT.get(method, JSON), "User-Agent": "netdoctor"}
        try:
            self._client.update_params_for_auth(headers, [], ["BearerToken"], None, method, None)
            content = {} if body is None else {"body": json.dumps(body).encode()}
            reply = ask(
                self._pool,
                method,
                url,
                headers=[*headers.items(), *self._headers],
                connect=CONNECT_SECONDS,
                seconds=SECONDS,
                limit=LARGEST,
                **content,
            )
        except Exception as error:  # ssl, OSError, urllib3's, and whatever an auth provider raises
            raise self._no_answer(_plain_reason(error)) from error
        if not 200 <= reply.status < 300:
            reason = _message_of(reply.data) or http.client.responses.get(reply.status, "without a reason")
            raise ApiError(f"API server {self.server} {method} {path}", reply.status, reason)
        return reply.data


def _plain_reason(error: Exception) -> str:
    if isinstance(error, ValueError) and "header" in str(error):  # its text repeats the header
        return "a value of the kubeconfig cannot be sent in a header"
    cause = getattr(error, "reason", None) or error
    text = str(cause)
    for words, plain in (
        ("Connection refused", "connection refused"),
        ("timed out", "no answer within the time limit"),
        ("No route to host", "no route to host"),
        ("Network is unreachable", "network is unreachable"),
        ("Name or service not known", "its name does not resolve"),
        ("Failed to resolve", "its name does not resolve"),
        # OpenSSL's words, X509_verify_cert_error_string(3)
        ("certificate has expired", "its certificate has expired"),
        ("certificate is not yet valid", "its certificate is not valid yet, by the clock of this node"),
        ("certificate is not valid for", "its certificate is for another name or address"),
        ("certificate revoked", "its certificate is revoked"),
        ("issuer certificate", NOT_SIGNED),
        ("self-signed certificate", NOT_SIGNED),
        ("self signed certificate", NOT_SIGNED),
        ("certificate signature failure", NOT_SIGNED),
        ("CERTIFICATE_VERIFY_FAILED", "its certificate is not accepted"),
    ):
        if words in text:
            return plain
    return excerpt(text, 200) or type(error).__name__


def _message_of(data: bytes) -> str:
    try:
        return excerpt(json.loads(data)["message"], 1000)
    except (ValueError, KeyError, TypeError, RecursionError):
        return excerpt(data[:8000].decode(errors="replace"), 200)


def connect(host: Host) -> KubeApi:  # noqa: ARG001 - the one place where a remote target would differ
    """The API server that the kubeconfig names; nothing is asked yet. Raises CannotRead."""
    chosen = kubeconfig.current()
    import urllib3
    from kubernetes import config

    from netdoctor.system.bounded_http import bound

    # of insecure-skip-tls-verify, which the kubeconfig's owner has chosen: each request would tell the terminal
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

    try:
        client = config.new_client_from_config_dict(chosen.config, persist_config=False)
        pool = client.rest_client.pool_manager
        _load_certificates(pool)
    except (TypeError, AttributeError) as error:  # the client expects mappings and lists where they should be
        raise CannotRead(f"kubeconfig {chosen.path}", "it cannot be used: it is not a kubeconfig") from error
    except Exception as error:  # ConfigException, ssl's errors: all mean the same to the user
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise CannotRead(f"kubeconfig {chosen.path}", f"it cannot be used: {reason}") from error
    finally:
        config.kube_config._cleanup_temp_files()
    return KubeApi(client, impersonation(chosen.user), bound(pool))


def impersonation(user: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The headers by which a kubeconfig's user acts as somebody else."""
    names = (("as", "Impersonate-User"), ("as-uid", "Impersonate-Uid"))
    found = [(header, str(user[name])) for name, header in names if name in user]
    found += [("Impersonate-Group", group) for group in user.get("as-groups", ())]
    for key, values in user.get("as-user-extra", {}).items():
        found += [(f"Impersonate-Extra-{quote(key, safe='')}", value) for value in values]
    return tuple(found)


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
