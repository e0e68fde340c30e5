#!/usr/bin/env bash
# No mutable globals but those of the list below: no other object of the floors and programs has a
# variable in .data or .bss (constants with addresses in them lie in .data.rel.ro). Reads the plain build.
set -u

# allowed OBJECT: the variables it may have, in the order of objdump
allowed() {
    case $1 in
    base/log.o) echo "level_shown" ;;                         # the log level
    pki/tls.o) echo "finding_index judge_index once" ;;       # OpenSSL's numbers for data of ours, made once
    pki/digest.o) echo "context_of_thread sha256 once" ;;     # made once; each thread's own scratch
    esac
}
objects=$(cd "$BRUG_BUILD" && find base proto rules pki daemon client ctl -name '*.o' 2>/dev/null | sort)
number=0

# variables FILE: the names of what it has in writable sections
variables() {
    objdump -t "$1" | awk '$1 ~ /^[0-9a-f]+$/ && $NF !~ /^\./ && / (\.data|\.bss|\.tdata|\.tbss)(\.[a-z_]+\.?[0-9]*)?\t/ && !/\.data\.rel\.ro/ { print $NF }'
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf 'int a; static int b = 3; _Thread_local int c; static const char *const D[] = {"d"};\nextern const char *const *e(void); const char *const *e(void) { static int f; return D + b + f++; }\n' >"$work/planted.c"
"${CC:-gcc}" -fPIE -c -o "$work/planted.o" "$work/planted.c"
found=$(variables "$work/planted.o" | sed 's/\..*//' | sort | paste -sd' ')
number=$((number + 1))
if [ "$found" = "a b c f" ]; then echo "ok $number - planted variables are found"; else echo "not ok $number - planted: $found"; fi

for object in $objects; do
    found=$(variables "$BRUG_BUILD/$object" | paste -sd' ')
    number=$((number + 1))
    if [ "$found" = "$(allowed "$object" | paste -sd' ')" ]; then echo "ok $number - $object"; else echo "not ok $number - $object: $found"; fi
done
echo "1..$number"
