"""A real broker that lets in only who can show something: a login over TLS, or a certificate.

Its listeners have names of their own: LOGIN is SASL_SSL, with PLAIN and both kinds of SCRAM; CLIENTS is SSL, and asks
for a certificate; PLAINTEXT is the one that a broker has for itself, and no test uses. The certificates are made by
openssl; the broker's is for the address 127.0.0.1, and not for the name localhost.
"""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from streamapp.embedded.ports import free_port
from streamapp.testing.broker import node, serving

__all__ = ["PASSWORD", "USER", "SecureBroker", "certificate", "secure_broker"]

USER, PASSWORD = "streamapp", "correct-horse/8!battery"
MODULES = "org.apache.kafka.common.security."
KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")


@dataclasses.dataclass(frozen=True, slots=True)
class SecureBroker:
    """Where it listens, and the folder with the certificates: ca.pem, and client.pem with its key in client.key."""

    login: str
    clients: str
    folder: Path

    def with_login(self, mechanism: str, **more: str) -> Mapping[str, str]:
        """The settings of a worker that logs in."""
        return {
            "STREAMAPP_BROKER": self.login,
            "STREAMAPP_BROKER_SECURITY": "SASL_SSL",
            "STREAMAPP_BROKER_MECHANISM": mechanism,
            "STREAMAPP_BROKER_USERNAME": USER,
            "STREAMAPP_BROKER_PASSWORD": PASSWORD,
            "STREAMAPP_BROKER_CA_FILE": str(self.folder / "ca.pem"),
            **more,
        }

    def with_certificate(self, name: str = "client") -> Mapping[str, str]:
        """The settings of a worker that shows a certificate of that name."""
        return {
            "STREAMAPP_BROKER": self.clients,
            "STREAMAPP_BROKER_SECURITY": "SSL",
            "STREAMAPP_BROKER_CA_FILE": str(self.folder / "ca.pem"),
            "STREAMAPP_BROKER_CERT_FILE": str(self.folder / f"{name}.pem"),
            "STREAMAPP_BROKER_KEY_FILE": str(self.folder / f"{name}.key"),
        }


def certificate(folder: Path, name: str, *, by: str | None = None, address: str = "127.0.0.1") -> None:
    """Make `name`.pem and `name`.key: an authority, or something that the authority `by` vouches for."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    empty = folder / "openssl.cnf"
    empty.write_text("[req]\ndistinguished_name=dn\n[dn]\n")
    files = ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem"), "-subj", f"/CN={name}"]
    extra = ["-addext", f"basicConstraints=critical,CA:{'FALSE' if by else 'TRUE'}"]
    if by:
        extra += ["-CA", str(folder / f"{by}.pem"), "-CAkey", str(folder / f"{by}.key")]
        extra += ["-addext", f"subjectAltName=IP:{address}"]
    command = ["openssl", "req", "-x509", "-config", str(empty), *KEY, *files, *extra]
    subprocess.run(command, check=True, capture_output=True)


@contextmanager
def secure_broker(folder: Path) -> Iterator[SecureBroker]:
    """Such a broker with everything in `folder`."""
    certificate(folder, "ca")
    for name in ("broker", "client"):
        certificate(folder, name, by="ca")
    store = folder / "keystore.pem"
    store.write_text((folder / "broker.key").read_text() + (folder / "broker.pem").read_text())
    password = f'user_{USER}="{PASSWORD}"'
    plain, login, clients = node(folder), free_port(), free_port()
    listeners = f"PLAINTEXT://{plain.address},LOGIN://127.0.0.1:{login},CLIENTS://127.0.0.1:{clients}"
    more = {
        "listeners": f"{listeners},CONTROLLER://127.0.0.1:{plain.controller_port}",
        "advertised.listeners": listeners,
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LOGIN:SASL_SSL,CLIENTS:SSL",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(store),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(folder / "ca.pem"),
        "listener.name.clients.ssl.client.auth": "required",
        "listener.name.login.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        "listener.name.login.plain.sasl.jaas.config": f"{MODULES}plain.PlainLoginModule required {password};",
        "listener.name.login.scram-sha-256.sasl.jaas.config": f"{MODULES}scram.ScramLoginModule required;",
        "listener.name.login.scram-sha-512.sasl.jaas.config": f"{MODULES}scram.ScramLoginModule required;",
    }
    users = [f"SCRAM-SHA-{bits}=[name={USER},password={PASSWORD}]" for bits in (256, 512)]
    with serving(dataclasses.replace(plain, more=more, users=users), folder):
        yield SecureBroker(f"127.0.0.1:{login}", f"127.0.0.1:{clients}", folder)
