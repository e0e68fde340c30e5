#!/usr/bin/env bash
# scripts/deps.sh with a package system of the test's own: it installs what is missing and only that,
# as root and through sudo, refreshes the lists when the first try fails, and says what to do otherwise.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0

# tool NAME LINE...: a command of that name, which also writes down how it was called
tool() {
    local name=$1
    shift
    { echo '#!/bin/bash'; echo "echo $name \"\$*\" >>$work/calls"; printf '%s\n' "$@"; } >"$work/bin/$name"
    chmod +x "$work/bin/$name"
}

# world UID: there are packages "here" and "there" and all else is missing; installing works
world() {
    rm -rf "$work/bin" "$work/calls" && mkdir "$work/bin" && touch "$work/calls"
    for name in bash env touch; do ln -s "$(command -v $name)" "$work/bin/$name"; done
    tool dpkg-query 'case "${@: -1}" in here | there) echo installed ;; *) exit 1 ;; esac'
    tool id "echo $1"
    tool apt-get
}

# expect NAME STATUS WORDS PACKAGE...: the status, and WORDS (a pattern) in output and calls
expect() {
    local name=$1 status=$2 words=$3 got
    shift 3
    PATH=$work/bin scripts/deps.sh "$@" >"$work/out" 2>&1
    got=$?
    grep -v '^dpkg-query\|^id' "$work/calls" >>"$work/out"
    number=$((number + 1))
    if [ "$got" -eq "$status" ] && [[ "$(tr '\n' ' ' <"$work/out")" =~ $words ]]; then
        echo "ok $number - $name"
    else
        echo "not ok $number - $name (status $got)"
        sed 's/^/# /' "$work/out"
    fi
}

world 0
expect "nothing is missing: nothing is done" 0 '^$' here there
world 0
expect "root installs what is missing" 0 '^deps: installing new other apt-get install .* new other $' here new other
world 1000
tool sudo '"$@"'
expect "another user asks sudo" 0 'installing new sudo env .*apt-get install .* new apt-get install' here new
world 1000
expect "without sudo it says what to do" 1 'neither root nor sudo.*apt-get install new $' new
world 0
tool apt-get "if [ \"\$1\" = update ]; then touch $work/bin/fresh; else [ -e $work/bin/fresh ]; fi"
expect "old lists are refreshed once" 0 'apt-get install .*apt-get update .*apt-get install' new
world 0
tool apt-get 'exit 100'
expect "a failure is a failure" 100 'once more' new
echo "1..$number"
