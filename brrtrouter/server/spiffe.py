"""TLS with the X.509-SVID of the server, from the SPIFFE Workload API, and clients of one trust domain.

A new SVID or bundle makes a new context in the thread that follows the Workload API; the next handshake has it.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from brrtrouter.config import Spiffe
from brrtrouter.errors import ConfigError
from brrtrouter.server.sockets import ServerError
from brrtrouter.server.tls import base_context
from brrtrouter.workload import Watch

if TYPE_CHECKING:
    from spiffe import X509Svid


class SpiffeTls:
    """The context of the connections to come.  Raises ConfigError when no trust domain or socket is set.

    Certificates of clients are verified by the bundle of `spiffe.trust_domain` and no other, so that an authority of
    one trust domain cannot make ids of another.
    """

    def __init__(self, settings: Spiffe) -> None:
        if not settings.trust_domain:
            raise ConfigError("spiffe.tls needs spiffe.trust_domain")
        self._settings = settings
        self._watch: Watch[ssl.SSLContext] = Watch(settings, "stream_x509_contexts", self._made, "spiffe.tls")

    @property
    def context(self) -> ssl.SSLContext:
        """What the next connection is encrypted with."""
        assert self._watch.value is not None, "no connection is taken before there is an SVID"
        return self._watch.value

    async def begin(self) -> None:
        """Wait for the first SVID.  Raises ServerError when none comes in `spiffe.start_timeout`."""
        if await self._watch.first(self._settings.start_timeout) is None:
            raise ServerError(f"no X.509-SVID came from the Workload API in {self._settings.start_timeout:g} s")

    def refresh(self, *, force: bool = False) -> bool:
        """Nothing: what is new is pushed."""
        return False

    def end(self) -> None:
        """Follow the Workload API no longer."""
        self._watch.close()

    def _made(self, update: Any) -> ssl.SSLContext:
        from cryptography.hazmat.primitives.serialization import Encoding
        from spiffe import TrustDomain

        settings = self._settings
        bundle = update.x509_bundle_set.get_bundle_for_trust_domain(TrustDomain(settings.trust_domain))
        if bundle is None or not bundle.x509_authorities:
            raise ConfigError(f"there is no bundle of the trust domain {settings.trust_domain}")
        context = base_context()
        with _in_file(_pem(_chosen(update.x509_svids, settings.id))) as name:
            context.load_cert_chain(name)
        context.load_verify_locations(
            cadata=b"".join(each.public_bytes(Encoding.DER) for each in bundle.x509_authorities)
        )
        # An authority of a bundle need not be a root.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.verify_mode = ssl.CERT_REQUIRED if settings.client == "required" else ssl.CERT_OPTIONAL
        return context


def _chosen(svids: list[X509Svid], wanted: str) -> X509Svid:
    for svid in svids:
        if not wanted or str(svid.spiffe_id) == wanted:
            return svid
    raise ConfigError(f"there is no SVID {wanted}" if wanted else "there is no SVID")


def _pem(svid: X509Svid) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = svid.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return key + b"".join(certificate.public_bytes(Encoding.PEM) for certificate in svid.cert_chain)


@contextmanager
def _in_file(content: bytes) -> Iterator[str]:
    """The name of a file with a key, which Python's ssl takes in no other way: in memory where the system can."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("svid"), "wb") as file:
            file.write(content)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
    else:
        with tempfile.NamedTemporaryFile() as file:  # only we can read it
            file.write(content)
            file.flush()
            yield file.name
