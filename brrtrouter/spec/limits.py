"""The bounds that keep a small document from costing much, each with its name."""

from __future__ import annotations

from dataclasses import dataclass

from brrtrouter.errors import Issue


@dataclass(frozen=True, slots=True)
class Limits:
    """What a document may cost at most; a document that goes over one is refused with a `LimitExceeded` issue.

    `file_bytes` is per file, `files` counts all files that one document pulls in.  `nodes` counts every value
    of a YAML file as if each alias were written out, so that a few lines of aliases cannot stand for billions.
    `fetch_seconds` is for one document from the network, where that is allowed.
    """

    file_bytes: int = 64 * 1024 * 1024
    files: int = 20_000
    depth: int = 200
    aliases: int = 10_000
    merges: int = 1_000
    nodes: int = 5_000_000
    number_length: int = 1_000
    fetch_seconds: float = 10.0


class UnreadableError(Exception):
    """A file that gives no value at all: `issue` says why, with the line and the column in its message."""

    def __init__(self, issue: Issue) -> None:
        self.issue = issue
        super().__init__(str(issue))


def over(limit: str, allowed: int, where: str = "") -> UnreadableError:
    """The error for a document that exceeds the limit named `limit`."""
    return UnreadableError(Issue("LimitExceeded", "", f"{where}the limit {limit} of {allowed:,} is exceeded"))
