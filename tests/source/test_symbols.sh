#!/usr/bin/env bash
# No function or variable has the same global name in two floors: a program that links both would take the
# first that the linker meets, in silence. Reads the plain build.
set -u

# doubles FILE...: names that more than one of the archives defines
doubles() {
    for archive in "$@"; do
        nm --defined-only "$archive" 2>/dev/null | awk '$2 ~ /^[TDBR]$/ { print $3 }' | sort -u
    done | sort | uniq -d | paste -sd' '
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for n in 1 2; do
    printf 'int twice(void); int twice(void) { return %s; }\nint once%s(void); int once%s(void) { return 0; }\n' $n $n $n >"$work/$n.c"
    "${CC:-gcc}" -c -o "$work/$n.o" "$work/$n.c"
    ar rcs "$work/$n.a" "$work/$n.o"
done
if [ "$(doubles "$work/1.a" "$work/2.a")" = twice ]; then echo "ok 1 - a planted double is found"; else echo "not ok 1"; fi
archives=$(ls "$BRUG_BUILD"/lib*.a | grep -v -e libbrug.a -e libtest.a)
found=$(doubles $archives)
if [ -z "$found" ]; then echo "ok 2 - no double in the floors"; else echo "not ok 2 - in two floors: $found"; fi
echo "1..2"
