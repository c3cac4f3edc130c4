"""All cases by area."""

from __future__ import annotations

from . import (
    answers,
    chunks,
    codings,
    expectations,
    fields,
    hosts,
    lengths,
    persistence,
    pipelines,
    request_line,
    targets,
    trailers,
)
from .case import Case

AREAS: dict[str, tuple[Case, ...]] = {
    module.__name__.rpartition(".")[2].replace("_", "-"): module.CASES
    for module in (
        request_line,
        targets,
        hosts,
        fields,
        lengths,
        codings,
        chunks,
        trailers,
        expectations,
        persistence,
        pipelines,
        answers,
    )
}
CASES: dict[str, Case] = {f"{area}/{case.id}": case for area, cases in AREAS.items() for case in cases}
