#!/bin/sh
# Refreshes the vendored half of the documentation page from the npm package swagger-ui-dist.
#
#   ci/fetch_docs_ui.sh           fetch the pinned version, compare it with SHA256SUMS, then install it
#   ci/fetch_docs_ui.sh --repin   the same, but write SHA256SUMS instead: run it after changing `version`, and read the diff
#   ci/fetch_docs_ui.sh --check   no network: compare the files of the working tree with SHA256SUMS
#
# The package is packed, not installed: an install would run its dependency's scripts, which report usage to a third party.
set -eu

version=5.35.0
files='LICENSE
NOTICE
favicon-16x16.png
favicon-32x32.png
oauth2-redirect.html
oauth2-redirect.js
swagger-ui-bundle.js
swagger-ui-bundle.js.LICENSE.txt
swagger-ui.css'

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
assets=$root/brrtrouter/dispatch/assets/docs
sums=$assets/SHA256SUMS

fail() {
    echo "fetch_docs_ui: $1" >&2
    exit 1
}

# Everything the page loads must come from the server itself; a source map comment makes browsers ask for a file that is not there.
check_self_contained() {
    ! grep -l 'sourceMappingURL' "$1"/*.css "$1"/*.js || fail 'a source map comment is left'
    ! grep -lE "@import|url\([\"']?(https?:)?//" "$1"/*.css || fail 'a style sheet loads something from elsewhere'
}

# The sums must cover exactly the files named above, or an unlisted file would go unchecked.
check_sums() {
    listed=$(awk '{ print $2 }' "$sums" | LC_ALL=C sort)
    wanted=$(printf '%s\n' "$files" | LC_ALL=C sort)
    [ "$listed" = "$wanted" ] || fail 'SHA256SUMS does not list exactly the vendored files'
    (cd "$1" && sha256sum --check --quiet --strict "$sums") || fail "the files differ from those that SHA256SUMS pins"
}

mode=${1:-}
case $mode in
    '' | --repin) ;;
    --check)
        check_sums "$assets"
        check_self_contained "$assets"
        exit 0
        ;;
    *) fail "unknown option $mode" ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/ready"
(cd "$work" && npm pack --silent --ignore-scripts "swagger-ui-dist@$version" >/dev/null)
tar -xzf "$work/swagger-ui-dist-$version.tgz" -C "$work"

for file in $files; do
    case $file in
        *.css | *.js)
            sed -e 's|/\*# sourceMappingURL=[^*]*\*/||g' -e 's|//# sourceMappingURL=[^[:space:]]*||g' \
                "$work/package/$file" >"$work/ready/$file"
            ;;
        *) cp "$work/package/$file" "$work/ready/$file" ;;
    esac
done

if [ "$mode" = --repin ]; then
    # shellcheck disable=SC2086 # one word per file is meant
    (cd "$work/ready" && sha256sum $files) >"$work/SHA256SUMS"
    sums=$work/SHA256SUMS
fi
check_sums "$work/ready"
check_self_contained "$work/ready"

mkdir -p "$assets"
for file in $files; do
    install -m 644 "$work/ready/$file" "$assets/$file"
done
[ "$mode" != --repin ] || install -m 644 "$sums" "$assets/SHA256SUMS"
echo "swagger-ui-dist $version is in brrtrouter/dispatch/assets/docs"
