"""TLS: contexts from PEM files, made anew when the files change.

TLS 1.2 and 1.3, with forward secrecy and authenticated ciphers only (RFC 9325); ALPN http/1.1 (RFC 7301).  A new
context takes the place of the old one for the connections to come, and only when it could be made: a certificate that
is half written, or does not fit its key, changes nothing.
"""

from __future__ import annotations

import logging
import os
import ssl
from typing import Protocol, TypeAlias

from brrtrouter.config import Server as Settings
from brrtrouter.config import Spiffe
from brrtrouter.errors import ConfigError

logger = logging.getLogger("brrtrouter.server")

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"  # of TLS 1.2; those of 1.3 are all authenticated
Stamp: TypeAlias = tuple[tuple[int, int, int], ...]  # of each file: inode, size, time of the last change


class Certificates(Protocol):
    """Where the context of the connections to come is from."""

    @property
    def context(self) -> ssl.SSLContext: ...

    async def begin(self) -> None:
        """Wait until there is one; called in the process that serves, before connections are taken."""

    def refresh(self, *, force: bool = False) -> bool:
        """Look whether there is a new one; whether there is."""

    def end(self) -> None:
        """No more connections are taken."""


class Tls:
    """The context of the connections to come; `refresh` looks at the files again.

    Raises ConfigError that names the file when the certificate, the key or the authorities cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stamp = self._look()
        self.context = make_context(settings)

    async def begin(self) -> None:
        """Nothing: the files were there when this was made."""

    def end(self) -> None:
        """Nothing: what was read stays."""

    def refresh(self, *, force: bool = False) -> bool:
        """Take changed files; whether there is a new context.  What is wrong with them goes to the log."""
        stamp = self._look()
        if stamp == self._stamp and not force:
            return False
        self._stamp = stamp
        try:
            self.context = make_context(self._settings)
        except ConfigError as error:
            logger.error("the certificate is not reloaded, the old one stays: %s", error)
            return False
        logger.info("the certificate %s is reloaded", self._settings.tls_certificate)
        return True

    def _look(self) -> Stamp:
        files = (self._settings.tls_certificate, self._settings.tls_key, self._settings.tls_ca)
        return tuple(_stamp(file) for file in files if file)


def configured(settings: Settings, spiffe: Spiffe) -> Certificates | None:
    """The TLS that the settings ask for, None when they ask for none.  Raises ConfigError when they make no sense."""
    if spiffe.tls:
        if settings.tls_certificate or settings.tls_key or settings.tls_ca:
            raise ConfigError(
                "spiffe.tls and server.tls_certificate, tls_key or tls_ca are set, which exclude each other"
            )
        from brrtrouter.server.spiffe import SpiffeTls

        return SpiffeTls(spiffe)
    if settings.tls_certificate:
        return Tls(settings)
    for name in ("tls_key", "tls_ca"):
        if getattr(settings, name):
            raise ConfigError(f"server.{name} is set, but server.tls_certificate is not")
    return None


def base_context() -> ssl.SSLContext:
    """What every context for a server has, without certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    return context


def make_context(settings: Settings) -> ssl.SSLContext:
    """A context for a server.  Raises ConfigError that names the file that cannot be used."""
    context = base_context()
    certificate, key, authorities = settings.tls_certificate, settings.tls_key, settings.tls_ca
    for name, file in (("tls_certificate", certificate), ("tls_key", key), ("tls_ca", authorities)):
        if file and not os.access(file, os.R_OK):
            raise ConfigError(f"server.{name}: {file} cannot be read")
    try:
        # Without a password: nobody could type one, and the default is to ask at the terminal.
        context.load_cert_chain(certificate, key or None, password=_no_password)
    except (ssl.SSLError, OSError, ValueError) as error:
        files = f"{certificate} and {key}" if key else certificate
        raise ConfigError(f"server.tls_certificate: {files} cannot be used: {_reason(error)}") from None
    if authorities:
        try:
            context.load_verify_locations(authorities)
        except (ssl.SSLError, OSError) as error:
            raise ConfigError(f"server.tls_ca: {authorities} cannot be used: {_reason(error)}") from None
        context.verify_mode = ssl.CERT_REQUIRED if settings.tls_client == "required" else ssl.CERT_OPTIONAL
    return context


def _no_password() -> str:
    raise ValueError("the key is encrypted, and there is no password")


def _reason(error: Exception) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)


def _stamp(file: str) -> tuple[int, int, int]:
    try:
        found = os.stat(file)
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_size, found.st_mtime_ns)
