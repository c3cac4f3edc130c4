"""csrc alone against matchit (Rust), without Python: two programs on the same routes and paths, taking turns."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CSRC = HERE.parents[1] / "csrc"
PASSES = 20_000

# What a code hosting service offers: (singular, plural, children of one, children of the collection).
ACCOUNTS = ("keys", "followers", "following", "emails", "starred", "subscriptions", "events", "gists", "repos", "orgs")
REPOSITORY = (
    "branches", "tags", "contributors", "languages", "teams", "forks", "hooks", "keys", "releases", "stargazers",
    "subscribers", "issues", "pulls", "comments", "commits", "milestones", "labels", "downloads", "collaborators",
    "assignees", "deployments", "events", "notifications",
)  # fmt: skip
GIT = ("blobs", "commits", "refs", "tags", "trees")
STATS = ("contributors", "commit_activity", "code_frequency", "participation", "punch_card")
ORGANIZATION = ("members", "public_members", "teams", "repos", "events", "issues", "hooks", "blocks")
SERVICE = ("emojis", "events", "feeds", "meta", "rate_limit", "issues", "notifications", "authorizations", "zen")
PULL = ("commits", "files", "merge", "comments", "reviews")


def templates() -> list[str]:
    """About 130 templates of that shape: most below one deep prefix with two captures."""
    repo = "/repos/{owner}/{repo}"
    found = ["/" + word for word in SERVICE]
    found += ["/user", *(f"/user/{word}" for word in ACCOUNTS)]
    found += ["/users", "/users/{user}", *(f"/users/{{user}}/{word}" for word in ACCOUNTS)]
    found += [f"/user/{word}/{{id}}" for word in ("keys", "starred", "following")]
    found += ["/orgs/{org}", *(f"/orgs/{{org}}/{word}" for word in ORGANIZATION)]
    found += [f"/orgs/{{org}}/{word}/{{user}}" for word in ("members", "public_members", "blocks")]
    found += [repo, *(f"{repo}/{word}" for word in REPOSITORY)]
    found += [f"{repo}/{word}/{{id}}" for word in REPOSITORY if word not in ("languages", "events", "stargazers")]
    found += [f"{repo}/git/{word}/{{sha}}" for word in GIT]
    found += [f"{repo}/stats/{word}" for word in STATS]
    found += [f"{repo}/pulls/{{id}}/{word}" for word in PULL]
    found += [f"{repo}/issues/{{id}}/{word}" for word in ("comments", "events", "labels")]
    found += [f"{repo}/issues/{{id}}/labels/{{name}}", f"{repo}/contents/{{path}}", f"{repo}/readme"]
    found += ["/gists", "/gists/public", "/gists/starred", "/gists/{id}", "/gists/{id}/star", "/gists/{id}/forks"]
    found += ["/search/repositories", "/search/code", "/search/issues", "/search/users"]
    found += ["/teams/{id}", "/teams/{id}/members", "/teams/{id}/members/{user}", "/teams/{id}/repos"]
    return found


def write_files(folder: Path) -> int:
    listed = templates()
    words = {"owner": "rust-lang", "repo": "rust", "user": "nikomat", "org": "python", "id": "80421", "sha": "9f8e7d6c"}
    paths = [template.format(**words, name="bug", path="README") for template in listed]
    (folder / "routes.txt").write_text("\n".join(listed) + "\n")
    (folder / "paths.txt").write_text("\n".join(paths) + "\n")
    return len(listed)


def build_rust(folder: Path) -> list[str]:
    crate = folder / "matchit_rs"
    shutil.copytree(HERE / "matchit_rs", crate)  # cargo writes beside its sources
    subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=crate, check=True, timeout=600)
    return [str(crate / "target" / "release" / "matchit_rs")]


def build_c(folder: Path, flags: list[str], name: str) -> list[str]:
    program = folder / name
    sources = [*map(str, sorted(CSRC.glob("*.c"))), str(HERE / "brrt_match.c")]
    command = ["cc", "-std=gnu11", "-O3", *flags, f"-I{CSRC}", *sources, "-o", str(program)]
    subprocess.run(command, check=True, timeout=300)
    return [str(program)]


def compare(rounds: int) -> dict[str, Any] | None:
    """Median nanoseconds per match by program, None when one of the compilers is missing or cannot build."""
    if shutil.which("cargo") is None or shutil.which("cc") is None:
        print("C against matchit is left out: it needs cargo and cc", file=sys.stderr)
        return None
    with tempfile.TemporaryDirectory(prefix="brrt-native-") as name:
        folder = Path(name)
        routes = write_files(folder)
        try:
            programs = {
                "csrc, as a static library": build_c(folder, [], "brrt"),
                "csrc, link-time optimisation": build_c(folder, ["-flto"], "brrt_lto"),
                "matchit (Rust), link-time optimisation": build_rust(folder),
            }
        except subprocess.SubprocessError as error:
            print(f"C against matchit is left out: {error}", file=sys.stderr)
            return None
        samples: dict[str, list[float]] = {name: [] for name in programs}
        digests = set()
        for _ in range(rounds):
            for name, command in programs.items():
                arguments = [*command, "routes.txt", "paths.txt", str(PASSES)]
                printed = subprocess.run(arguments, cwd=folder, check=True, capture_output=True, text=True, timeout=120)
                digest, nanoseconds = printed.stdout.split()
                digests.add(digest)
                samples[name].append(float(nanoseconds))
    if len(digests) != 1:
        raise SystemExit("csrc and matchit do not give the same answers")
    return {"routes": routes, "nanoseconds": {name: statistics.median(values) for name, values in samples.items()}}


if __name__ == "__main__":
    print(compare(7))
