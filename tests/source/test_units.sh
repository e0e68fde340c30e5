#!/usr/bin/env bash
# The files of systemd/: the sample is what brugd prints, the units are sound, and the service is closed in.
# Reads the plain build.
set -u

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
brugd=$BRUG_BUILD/brugd
exposure_max=0.4

check() { # NUMBER WHAT COMMAND...
    local number=$1 what=$2
    shift 2
    if "$@" >"$work/said" 2>&1; then
        echo "ok $number - $what"
    else
        echo "not ok $number - $what"
        sed 's/^/# /' "$work/said"
    fi
}

sample_is_current() {
    "$brugd" --print-sample-config | diff - systemd/brugd.conf
}

# verify looks whether the program is there: here it is the one that was built. It must say nothing.
units_are_sound() {
    cp systemd/*.service systemd/*.socket "$work/"
    sed -i "s,^ExecStart=[^ ]*/,ExecStart=$BRUG_BUILD/," "$work"/*.service
    systemd-analyze verify --man=no "$work"/*.service "$work"/*.socket >"$work/verify" 2>&1
    local status=$?
    cat "$work/verify"
    [ $status -eq 0 ] && [ ! -s "$work/verify" ]
}

a_spoilt_unit_is_found() {
    mkdir "$work/bad"
    sed 's/^Type=notify/Typ=notify/' "$work/brugd.service" >"$work/bad/brugd.service"
    systemd-analyze verify --man=no "$work/bad/brugd.service" 2>&1 | grep "Unknown key.*'Typ'"
}

service_is_closed_in() {
    systemd-analyze security --offline=yes "$work/brugd.service" >"$work/security" || return 1
    tail -n 1 "$work/security"
    awk -v max=$exposure_max '/Overall exposure level/ { if ($(NF-2) + 0 <= max) good = 1 } END { exit !good }' "$work/security"
}

echo "1..4"
check 1 "systemd/brugd.conf is what brugd prints" sample_is_current
check 2 "the units are sound" units_are_sound
check 3 "a spoilt unit is found" a_spoilt_unit_is_found
check 4 "the service's exposure is $exposure_max or less" service_is_closed_in
