"""Build of the compiled core: csrc becomes one static library that each Cython module links.

BRRT_BUILD chooses the flavour: "release" (default), "debug" (-O0, assertions, Cython line tracing off) or
"asan" (AddressSanitizer and UndefinedBehaviorSanitizer, to be run with libasan preloaded).
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

FLAVOURS = {
    "release": (["-O3", "-g0"], []),
    "debug": (["-O0", "-g3", "-UNDEBUG"], []),
    "asan": (
        ["-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined"],
        ["-fsanitize=address,undefined"],
    ),
}
flavour = os.environ.get("BRRT_BUILD", "release")
if flavour not in FLAVOURS:
    raise SystemExit(f"BRRT_BUILD={flavour}: choose one of {', '.join(FLAVOURS)}")
CFLAGS, LDFLAGS = FLAVOURS[flavour]
CFLAGS = ["-std=gnu11", "-fvisibility=hidden", "-fno-plt", *CFLAGS]

# Relative, slash-separated paths: setuptools insists on them for sdists.
C_SOURCES = sorted(path.as_posix() for path in Path("csrc").glob("*.c"))
C_HEADERS = sorted(path.as_posix() for path in Path("csrc").glob("*.h"))
MODULES = sorted(path.stem for path in Path("brrtrouter/core").glob("*.pyx"))


class BuildExt(build_ext):
    """Builds the static library first, also for editable and in-place builds, which skip build_clib."""

    def run(self) -> None:
        self.run_command("build_clib")
        clib = self.get_finalized_command("build_clib")
        for extension in self.extensions:
            extension.library_dirs.append(clib.build_clib)
            # A changed library must relink the modules.
            extension.depends.extend([*C_SOURCES, *C_HEADERS])
        super().run()


setup(
    libraries=[
        (
            "brrt",
            {
                "sources": C_SOURCES,
                "include_dirs": ["csrc"],
                "cflags": [*CFLAGS, "-fPIC"],
                "obj_deps": {"": C_HEADERS},
            },
        )
    ],
    ext_modules=cythonize(
        [
            Extension(
                f"brrtrouter.core.{name}",
                [f"brrtrouter/core/{name}.pyx"],
                include_dirs=["csrc"],
                libraries=["brrt"],
                extra_compile_args=CFLAGS,
                extra_link_args=LDFLAGS,
            )
            for name in MODULES
        ],
        compiler_directives={
            "language_level": 3,
            "boundscheck": False,
            "wraparound": False,
            "initializedcheck": False,
            "cdivision": True,
            "embedsignature": False,
            "binding": True,
        },
    ),
    cmdclass={"build_ext": BuildExt},
)
