"""Builds, drops and uses matchers for a while; prints how many bytes of memory that cost in the end.

Run in a process of its own, so that nothing else moves the number.
"""

import gc
import os
import sys
from contextlib import suppress

from brrtrouter import Matcher, PathError, RouteError

PAGE = os.sysconf("SC_PAGE_SIZE")


def resident() -> int:
    gc.collect()
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * PAGE


def build_and_drop() -> None:
    for _ in range(40):
        Matcher([("GET", f"/api/r{at}/{{id}}.x/{{name}}?q={at}", [at]) for at in range(500)], auto_head=True)


def drop_unfrozen() -> None:
    for _ in range(200):
        m = Matcher()
        m.add("GET", "/a/{x}/" + "b" * 4000, None)


def refuse() -> None:
    for _ in range(2000):
        with suppress(RouteError):
            Matcher([("GET", "/a/{x}", 1), ("GET", "/a/{y}", 2)])


def match() -> None:
    m = Matcher([("GET", "/pets/{id}", object()), ("GET", "/é/{a}-{b}", "v"), ("POST", "/pets", 1)])
    long = "/pets/" + "%41" * 1000
    for _ in range(250_000):
        m.match("GET", "/pets/42")
        m.match("GET", "/%C3%A9/x-y")
        m.match("PUT", "/pets")
        m.match("GET", "/nothing/here")
    for _ in range(20_000):
        m.match("GET", long)
        m.allowed("/pets")
        with suppress(PathError):
            m.match("GET", "/%zz")


STEPS = {"build_and_drop": build_and_drop, "drop_unfrozen": drop_unfrozen, "refuse": refuse, "match": match}

if __name__ == "__main__":
    step = STEPS[sys.argv[1]]
    step()  # warm: pools of the allocator, interned names, the traceback machinery
    before = resident()
    step()
    print(resident() - before)
