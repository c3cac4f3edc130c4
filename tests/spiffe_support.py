"""A SPIFFE Workload API that tests run: authorities of trust domains, and the real gRPC service on a unix socket."""

from __future__ import annotations

import json
import ssl
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

HOUR = timedelta(hours=1)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, text)])


class Domain:
    """An authority that makes X.509-SVIDs."""

    def __init__(self, certificate: x509.Certificate, key: Any) -> None:
        self.certificate, self.key = certificate, key

    @classmethod
    def new(cls, name: str, above: Domain | None = None) -> Domain:
        """An authority of its own, or one `above` which there is another."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.KeyUsage(*[index in (5, 6) for index in range(9)])  # keyCertSign, cRLSign
        builder = _builder(_name(name), above.certificate.subject if above else _name(name), key).add_extension(
            x509.BasicConstraints(True, None), critical=True
        )
        return cls(builder.add_extension(usage, critical=True).sign(above.key if above else key, hashes.SHA256()), key)

    @classmethod
    def of(cls, authority: Any) -> Domain:
        """The same authority as one of trustme."""
        key = load_pem_private_key(authority.private_key_pem.bytes(), None)
        return cls(x509.load_pem_x509_certificate(authority.cert_pem.bytes()), key)

    @property
    def bundle(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    def issue(self, *uris: str) -> tuple[x509.Certificate, Any]:
        """A certificate with these URIs, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.KeyUsage(*[index == 0 for index in range(9)])  # digitalSignature
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri) for uri in uris])
        builder = _builder(_name("workload"), self.certificate.subject, key).add_extension(names, critical=False)
        builder = builder.add_extension(x509.BasicConstraints(False, None), critical=True)
        return builder.add_extension(usage, critical=True).sign(self.key, hashes.SHA256()), key

    def client(self, context: ssl.SSLContext, *uris: str) -> ssl.SSLContext:
        """The context with a certificate with these URIs."""
        certificate, key = self.issue(*uris)
        with tempfile.NamedTemporaryFile() as file:
            file.write(certificate.public_bytes(Encoding.PEM))
            file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            file.flush()
            context.load_cert_chain(file.name)
        return context

    def trusting(self) -> ssl.SSLContext:
        """The context of a client that trusts this authority, whatever the host is called."""
        context = ssl.create_default_context(cadata=self.bundle)
        context.check_hostname = False
        return context


def _builder(subject: x509.Name, issuer: x509.Name, key: Any) -> x509.CertificateBuilder:
    now = datetime.now(timezone.utc)
    return (
        x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - HOUR)
        .not_valid_after(now + HOUR)
    )


class WorkloadApi:
    """What the service pushes on its streams; each new value goes to all who follow."""

    def __init__(self, socket: str) -> None:
        self.socket = socket
        self._changed = threading.Condition()
        self._values: dict[str, Any] = {}
        self._stopped = False
        self._number = 0
        self.streams = 0
        self.metadata: list[dict[str, str]] = []

    def push_svids(self, *svids: tuple[Domain, str], federated: dict[str, Domain] | None = None) -> list[bytes]:
        """New X.509-SVIDs, the first the default; their certificates."""
        pb = pytest.importorskip("spiffe._proto.workload_pb2")
        made, entries = [], []
        for domain, identity in svids:
            certificate, key = domain.issue(identity)
            made.append(certificate.public_bytes(Encoding.DER))
            private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
            entries.append(
                pb.X509SVID(spiffe_id=identity, x509_svid=made[-1], x509_svid_key=private, bundle=domain.bundle)
            )
        others = {f"spiffe://{name}": domain.bundle for name, domain in (federated or {}).items()}
        self._push("x509", pb.X509SVIDResponse(svids=entries, federated_bundles=others))
        return made

    def push_keys(self, **domains: Any) -> None:
        """New JWT bundles: for each trust domain (`_` for a dot) a list of JWKs, or bytes."""
        pb = pytest.importorskip("spiffe._proto.workload_pb2")
        bundles = {
            f"spiffe://{name.replace('_', '.')}": keys
            if isinstance(keys, bytes)
            else json.dumps({"keys": keys}).encode()
            for name, keys in domains.items()
        }
        self._push("jwt", pb.JWTBundlesResponse(bundles=bundles))

    def _push(self, kind: str, value: Any) -> None:
        with self._changed:
            self._number += 1
            self._values[kind] = (self._number, value)
            self._changed.notify_all()

    def stop(self) -> None:
        """End all streams."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def follow(self, kind: str, context: Any) -> Iterator[Any]:
        """The values of a stream."""
        self.metadata.append(dict(context.invocation_metadata()))
        seen = 0
        with self._changed:
            self.streams += 1
            self._changed.notify_all()
        while True:
            with self._changed:
                new = lambda: self._stopped or self._values.get(kind, (0,))[0] > seen  # noqa: B023, E731
                while not new() and context.is_active():
                    self._changed.wait(0.5)  # a client that has gone is noticed
                if self._stopped or not context.is_active():
                    return
                seen, value = self._values[kind]
            yield value


@contextmanager
def workload_api(socket: Path, api: WorkloadApi | None = None) -> Iterator[WorkloadApi]:
    """The service on a unix socket."""
    grpc = pytest.importorskip("grpc")
    pb_grpc = pytest.importorskip("spiffe._proto.workload_pb2_grpc")
    found = api or WorkloadApi(f"unix:{socket}")
    found._stopped = False

    class Service(pb_grpc.SpiffeWorkloadAPIServicer):  # type: ignore[misc,name-defined]
        def FetchX509SVID(self, request: Any, context: Any) -> Iterator[Any]:
            return found.follow("x509", context)

        def FetchJWTBundles(self, request: Any, context: Any) -> Iterator[Any]:
            return found.follow("jwt", context)

    server = grpc.server(ThreadPoolExecutor(8))
    pb_grpc.add_SpiffeWorkloadAPIServicer_to_server(Service(), server)
    server.add_insecure_port(found.socket)
    server.start()
    try:
        yield found
    finally:
        found.stop()
        server.stop(None).wait(10)
        socket.unlink(missing_ok=True)
