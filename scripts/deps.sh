#!/usr/bin/env bash
# deps.sh PACKAGE...: install the Debian packages among these that are missing. Works as root and
# through sudo; without anything missing it asks neither the network nor for a password.
set -eu

missing=()
for package in "$@"; do
    state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) || state=
    [ "$state" = installed ] || missing+=("$package")
done
[ "${#missing[@]}" -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "deps: these packages are missing, and neither root nor sudo is here to install them:" >&2
        echo "deps:   apt-get install ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi
echo "deps: installing ${missing[*]}"
install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends)
"${install[@]}" "${missing[@]}" </dev/null && exit 0
echo "deps: once more, with fresh package lists"
"${as_root[@]}" apt-get update -q </dev/null
"${install[@]}" "${missing[@]}" </dev/null
