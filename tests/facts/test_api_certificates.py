"""What is said of an API server whose certificate is not accepted: the reason, with real certificates."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import urllib3

from netdoctor.system.bounded_http import ask
from netdoctor.system.kube_api import _plain_reason

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl for the certificates")
KEY = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
AUTHORITY = (
    f"req -x509 {KEY} -subj /CN=ca -days 2 -addext keyUsage=critical,keyCertSign -keyout {{0}}.key -out {{0}}.crt"
)
REQUEST = f"req {KEY} -subj /CN=s -addext subjectAltName={{}} -keyout s.key -out s.csr"
SIGN = (
    "ca -batch -config ca.cnf -notext -in s.csr -out s.crt -cert {0}.crt -keyfile {0}.key -startdate {1} -enddate {2}"
)
CONFIG = """[ca]
default_ca = here
[here]
dir = .
database = index.txt
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
copy_extensions = copy
x509_extensions = as_python_3_13_wants
[as_python_3_13_wants]
authorityKeyIdentifier = keyid
[any]
commonName = supplied
"""
HERE = "IP:127.0.0.1"
PAST, NOW, SOON, FAR = "20200101000000Z", "20210101000000Z", "20950101000000Z", "20990101000000Z"
CASES = {  # signed by, for, from, to
    "its certificate has expired": ("ca", HERE, PAST, NOW),
    "its certificate is not valid yet, by the clock of this node": ("ca", HERE, SOON, FAR),
    "its certificate is for another name or address": ("ca", "IP:192.0.2.1", PAST, FAR),
    "its certificate is not signed by the kubeconfig's authority": ("other", HERE, PAST, FAR),
}


@contextmanager
def server(folder: Path) -> Iterator[int]:
    """A server with this folder's certificate, for one connection; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "s.crt", folder / "s.key")

    def serve() -> None:
        with suppress(OSError), listener.accept()[0] as connection, context.wrap_socket(connection, server_side=True):
            pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(5)


@pytest.mark.parametrize("said", list(CASES))
def test_the_reason_is_the_certificates(said: str, tmp_path: Path) -> None:
    signer, address, begin, end = CASES[said]

    def openssl(line: str) -> None:
        subprocess.run(["openssl", *line.split()], cwd=tmp_path, check=True, capture_output=True, timeout=60)

    (tmp_path / "ca.cnf").write_text(CONFIG)
    (tmp_path / "index.txt").touch()
    (tmp_path / "serial").write_text("01\n")
    for authority in ("ca", "other"):
        openssl(AUTHORITY.format(authority))
    openssl(REQUEST.format(address))
    openssl(SIGN.format(signer, begin, end))
    context = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
    with (
        server(tmp_path) as port,
        urllib3.PoolManager(ssl_context=context) as pool,
        pytest.raises(Exception) as raised,  # noqa: PT011 - whatever the client raises is what is put in words
    ):
        ask(pool, "GET", f"https://127.0.0.1:{port}/version", headers=[], connect=2, seconds=5, limit=1 << 20)
    assert _plain_reason(raised.value) == said
