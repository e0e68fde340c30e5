#!/usr/bin/env bash
# The README's "first referral by hand" runs as it stands: its indented lines, in order, in one shell that stops at
# the first failure. Only the port, the folder and what `make` built are this test's own.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
relay=
finish() {
    [ -f "$work/pid" ] && relay=$(cat "$work/pid") && kill -9 "$relay" 2>/dev/null
    rm -rf "$work"
}
trap finish EXIT
port=$("${PYTHON:-python3}" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
awk '/^## /{ on = ($0 == "## A first referral by hand") } on && /^    /{ print substr($0, 5) }' "$root/README.md" |
    sed -e "s#^make &&.*#export PATH=\"$BRUG_BUILD:$root/certs:\$PATH\"#" -e "s#^data=[^ ]*#data=$root/tests/data#" \
        -e "s#listen 127.0.0.1:7410#listen 127.0.0.1:$port#" \
        -e "s#^brugd --check-config.*#echo relay_port = $port >> brugd.conf\n&#" \
        -e "s#^brugd --config.*#&\necho \$! > ../pid#" >"$work/walk"
echo "1..2"
if [ "$(wc -l <"$work/walk")" -gt 40 ]; then echo "ok 1 - the README has its walk"; else echo "not ok 1 - the README has no walk"; fi
if (cd "$work" && timeout 120 bash -e walk) >"$work/out" 2>&1 </dev/null && grep -q "Geopend door Samira Haddou" "$work/out"; then
    echo "ok 2 - every command of it works"
else
    sed 's/^/# /' "$work/out" | tail -n 40
    echo "not ok 2 - every command of it works"
fi
