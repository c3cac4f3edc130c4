#!/bin/sh
# Unpacks Debian 12's arm64 build of Python 3.11, with its headers and all libraries it needs, into a folder:
#
#     sh wheels/debian_arm64.sh FOLDER
#
# apt works with lists, caches and a package database of its own below FOLDER.apt, so nothing is installed and no foreign
# architecture is added to this machine. The sources are this machine's, which must be Debian 12 (bookworm).
set -eu

root=${1:?usage: debian_arm64.sh FOLDER}
[ ! -x "$root/usr/bin/python3.11" ] || exit 0
fail() {
    echo "debian_arm64: $1" >&2
    exit 1
}
command -v apt-get >/dev/null || fail 'apt-get is needed: this runs on Debian 12'

mkdir -p "$root" "$root.apt/lists/partial" "$root.apt/archives/partial"
root=$(cd "$root" && pwd)
state=$root.apt
: >"$state/status"

# apt reads one file of configuration; giving it options one by one would repeat them at each call.
cat >"$state/apt.conf" <<CONF
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Dir::State "$state";
Dir::State::status "$state/status";
Dir::Cache "$state";
CONF
export APT_CONFIG="$state/apt.conf"

quietly() {
    "$@" >>"$state/log" 2>&1 || { tail -n 20 "$state/log" >&2; fail "failed: $*"; }
}
quietly apt-get update
quietly apt-get install --yes --download-only python3.11
(cd "$state/archives" && quietly apt-get download libpython3.11-dev)
for package in "$state"/archives/*.deb; do
    dpkg-deb --extract "$package" "$root"
done

[ -x "$root/usr/bin/python3.11" ] || fail 'the packages hold no python3.11'
[ -f "$root/usr/include/aarch64-linux-gnu/python3.11/pyconfig.h" ] || fail 'the packages hold no headers'
echo "unpacked $(find "$state/archives" -name '*.deb' | wc -l) arm64 packages into $root"
