#!/usr/bin/env bash
# Each kind of violation, planted alone into a small clean tree, is found by check-source; the clean
# tree has no finding. (The planted words are written in pieces, so that this file is clean itself.)
set -u
root=$PWD
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
number=0

ok() { number=$((number + 1)) && echo "ok $number - $1"; }
not_ok() { number=$((number + 1)) && echo "not ok $number - $1" && sed 's/^/# /' "$tree.out"; }
check() { (cd "$root" && scripts/check-source "$tree") >"$tree.out" 2>&1; }

# A tree with a file on each floor that includes what the floor may.
fresh() {
    rm -rf "$tree" && mkdir -p "$tree" && cd "$tree" || exit 1
    cp "$root/.clang-format" .
    mkdir -p base proto rules pki daemon/core daemon/store daemon/net daemon/ops client ctl systemd tests/unit
    put base/a.h '#include <stdint.h>'
    put proto/a.c '#include "base/x.h"' '#include <protobuf-c/protobuf-c.h>'
    put rules/a.c '#include "brug/v1/wire.pb-c.h"' '#include "proto/x.h"'
    put pki/a.c '#include "base/x.h"' '#include <openssl/x509.h>'
    put daemon/core/a.c '#include "rules/x.h"' '#include <string.h>'
    put daemon/store/a.c '#include "daemon/core/x.h"' '#include <sqlite3.h>'
    put daemon/net/a.c '#include "daemon/core/x.h"' '#include <sys/socket.h>' '#include <uv.h>'
    put daemon/ops/a.c '#include "pki/x.h"' '#include <confuse.h>'
    put daemon/main.c '#include "daemon/net/x.h"' '#include "daemon/ops/x.h"'
    put client/a.c '#include "include/brug.h"' '#include "pki/x.h"' '#include <sqlite3.h>'
    put ctl/a.c '#include "proto/x.h"'
    put tests/unit/test_a.c '#include "daemon/net/x.h"' '#include <cmocka.h>'
    printf '[P-%d] a rule\n' 1 2 >proto/PROTOCOL.md
    printf 'idle_ms_max = 5\n' >systemd/brugd.conf
}

# put FILE LINE...: a C file with a head comment; no line at all adds to it.
put() {
    local file=$1
    shift
    { printf '/* %s */\n' "$file"; printf '%s\n' "$@"; } >"$file"
}

# found NAME TEXT: the planted violation is found, alone, with TEXT in its line.
found() {
    if check; then
        not_ok "$1: nothing was found"
    elif [ "$(grep -c . "$tree.out")" -ne 2 ] || ! grep -qF -- "$2" "$tree.out"; then
        not_ok "$1: not the one finding \"$2\""
    else
        ok "$1"
    fi
    fresh
}

# include FILE INCLUDE TEXT
include() {
    put "$1" "#include $2"
    found "$1 includes $2" "$3"
}

# line FILE LINE TEXT: a line of code that is found
line() {
    printf '%s\n' "$2" >>"$1"
    found "${4:-$2}" "$3"
}

fresh
if check; then ok "a clean tree has no finding"; else not_ok "a clean tree has findings"; fi

include base/a.h '"proto/x.h"' 'base may not include "proto/x.h" of proto'
include base/a.h '<openssl/sha.h>' 'base may not include <openssl/sha.h>'
include base/a.h '<sys/socket.h>' 'base may not include'
include proto/a.c '<netinet/in.h>' 'proto may not include'
include proto/a.c '"rules/x.h"' 'of rules'
include rules/a.c '<time.h>' 'rules may not include <time.h>'
include rules/a.c '<unistd.h>' 'rules may not include'
include pki/a.c '<sys/socket.h>' 'pki may not include'
include pki/a.c '"brug/v1/wire.pb-c.h"' 'of proto'
include daemon/core/a.c '<uv.h>' 'daemon/core may not include <uv.h>'
include daemon/core/a.c '<openssl/evp.h>' 'daemon/core may not include'
include daemon/core/a.c '<sqlite3.h>' 'daemon/core may not include'
include daemon/core/a.c '<sys/socket.h>' 'daemon/core may not include'
include daemon/core/a.c '<time.h>' 'daemon/core may not include'
include daemon/core/a.c '<pthread.h>' 'daemon/core may not include'
include daemon/core/a.c '"pki/x.h"' 'of pki'
include daemon/store/a.c '"daemon/net/x.h"' 'of daemon/net'
include daemon/store/a.c '<uv.h>' 'daemon/store may not include'
include daemon/net/a.c '"daemon/ops/x.h"' 'of daemon/ops'
include daemon/net/a.c '<sqlite3.h>' 'daemon/net may not include'
include daemon/ops/a.c '"daemon/store/x.h"' 'of daemon/store'
include client/a.c '"daemon/core/x.h"' 'of daemon/core'
include client/a.c '<uv.h>' 'client may not include'
include ctl/a.c '"daemon/ops/x.h"' 'of daemon/ops'
include ctl/a.c '"pki/x.h"' 'of pki'
include daemon/main.c '"tests/unit/x.h"' 'belongs to the tests'
include base/a.h '"x.h"' 'not named from the root'

for call in 'spri''ntf(a, b)' 'strc''py(a, b)' 'strc''at(a, b)' 'strn''cpy(a, b, 1)' 'at''oi(a)' \
    'allo''ca(1)' 'ge''ts(a)' 'sca''nf(a)' 'ssca''nf(a, b)' 'str''tok(a, b)'; do
    line pki/a.c "void f(void) { $call; }" 'is banned'
done
line daemon/net/a.c 'long f(void) { return tim''e(NULL); }' 'only in base/clock.c'
line client/a.c 'void f(void) { clock_get''time(0, a); }' 'only in base/clock.c'
line daemon/core/a.c 'void f(void) { clock_now(); }' 'pure floor'
line rules/a.c 'void f(void) { log_event(a); }' 'pure floor'
line base/a.h 'typedef struct a a;' 'no typedef'
line base/a.h 'typedef void (*on_done)(void);' 'must end in _cb'
line base/a.h 'int  f(void);' 'format'
line base/a.h '/* [R9''9] */' 'there is no rule'
line base/a.h '/* [P-''3] */' 'has no rule'
line base/a.h '/* TO''DO: more */' 'unfinished'
line proto/PROTOCOL.md 'see /wor''k/notes' 'a path of one machine'
line systemd/a.pem '-----BEGIN EC PRIVATE ''KEY-----' 'a private key' 'a private key'
settings() {
    put daemon/ops/config.c '/* clang-format off */' 'static const struct row ROWS[] = {' "$@" '};'
}
settings '    {"idle_ms_max", 5},' '    {"quota_messages_max", 1},'
found "a setting that the sample does not show" 'does not show the setting quota_messages_max'
settings '    X(quota_messages_max, 5)' '    X(idle_ms_max, 5)'
found "a setting of an X table that the sample does not show" 'does not show the setting quota_messages_max'
settings '    {"idle_ms_max", 5},'
printf '# quota_max = 7\n' >>systemd/brugd.conf
found "a setting in the sample that the daemon does not have" 'brugd has no setting quota_max'

printf '\nint f(void);\n' >base/a.h
found "a C file without a head comment" 'no head comment'
put extra.c 'int f(void);'
found "a C file outside the floors" 'outside the floors'

put base/a.h '/* a comment may say spri''ntf(x) */' 'static const char *const TEXT = "strc''py(x)";'
if check; then ok "comments and strings are no calls"; else not_ok "comments and strings are no calls"; fi
echo "1..$number"
rm -f "$tree.out"
