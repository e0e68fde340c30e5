#!/usr/bin/env bash
# demo.sh: the story of a case: sealed referrals from a GP to two consultants, a kill -9 of the relay, the claim, questions,
# proposals, bridging care and the closing, and a relay that reminds by itself. Everything runs in a temporary folder on this machine and is removed at the end; DEMO_KEEP=1 leaves it there.
# The demo speaks English; what brug shows its users is Dutch and stands as it is, behind "|".
set -euo pipefail
umask 077
export LC_ALL=C.UTF-8
unset BRUG_HOME BRUG_ADMIN_SOCKET

readonly root=$(cd "$(dirname "$0")/.." && pwd)
readonly build=${BRUG_BUILD:-$root/build/plain} data=$root/tests/data
readonly work=$(mktemp -d "${TMPDIR:-/tmp}/brug-demo.XXXXXX")
readonly gp=$work/gp samira=$work/samira joost=$work/joost adviser=$work/adviser spare=$work/recovery
readonly practice_name="Praktijk Kastanjelaan" team_name="Sociaal team Voorbeeldstad"
relay_pid=
step=0
clock=() # a command that moves the clock of what it runs

# set_clock DATE: what runs with "${clock[@]}" from now on has noon of that date, and goes on from there.
set_clock() {
    clock=(env "LD_PRELOAD=$(echo /usr/lib/*/faketime/libfaketime.so.1)" "FAKETIME=+$(($(date -d "$1 12:00" +%s) - $(date +%s)))s")
}

stop_relay() {
    kill "$relay_pid"
    wait "$relay_pid"
}

finish() {
    local status=$?
    if [ -n "$relay_pid" ]; then stop_relay 2>/dev/null || true; fi
    if [ "$status" -ne 0 ] && [ -f "$work/relay/log" ]; then
        printf '\nThe demo failed (exit %s). The last lines of the relay:\n' "$status"
        tail -n 5 "$work/relay/log"
    fi
    if [ -n "${DEMO_KEEP:-}" ]; then printf 'Left in %s\n' "$work"; else rm -rf "$work"; fi
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

step() { step=$((step + 1)) && printf '\n%d. %s\n' "$step" "$1"; }
say() { printf '   %s\n' "$1"; }
fail() { printf '\nFAILED: %s\n' "$1" && exit 1; }

# shown WHO COMMAND...: prints the command as WHO types it and what it answers; the demo ends if it fails.
shown() {
    local who=$1 word line=
    shift
    for word in "${@/#$build\//}"; do
        word=${word/#$work\//}
        word=${word/#$root\//}
        if [[ $word == *" "* ]]; then line+=" \"$word\""; else line+=" $word"; fi
    done
    printf '   %s $%s\n' "$who" "$line"
    "${clock[@]}" "$@" >"$work/said" 2>&1 || { sed 's/^/   | /' "$work/said" && fail "$*"; }
    sed 's/^/   | /' "$work/said"
}

# at PROFILE WORDS...: brug for one person, unseen; as WHO PROFILE WORDS...: shown.
at() { BRUG_HOME=$1 "${clock[@]}" "$build/brug" "${@:2}"; }
as() {
    local who=$1 home=$2
    shift 2
    BRUG_HOME=$home shown "$who" "$build/brug" "$@"
}
sync_all() { for home in "$gp" "$samira" "$joost"; do at "$home" sync >/dev/null; done; }
ctl() { "$build/brugctl" --socket "$work/relay/admin.sock" "$@"; }

# refused WHO HOME COMMAND...: that must not be allowed, and shows why.
refused() {
    local who=$1 home=$2 status=0
    shift 2
    BRUG_HOME=$home "${clock[@]}" "$build/brug" "$@" >"$work/said" 2>&1 || status=$?
    [ "$status" -ne 0 ] || fail "brug $1 was allowed"
    printf '   %s $ brug %s …\n' "$who" "$1"
    sed 's/^/   | /' "$work/said"
}

# The value of one field of brug's or brugctl's JSON; the first one of that name.
field() { python3 -c '
import json, sys
def find(j, name):
    if isinstance(j, dict) and name in j:
        return j[name]
    for value in j.values() if isinstance(j, dict) else j if isinstance(j, list) else []:
        found = find(value, name)
        if found is not None:
            return found
print(find(json.load(sys.stdin), sys.argv[1]))' "$1"; }

# ---- the relay ----

free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 20000))
        (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

write_settings() {
    port=$(free_port)
    cat >"$work/relay/brugd.conf" <<CONF
listen = "127.0.0.1:$port"
admin_socket = "$work/relay/admin.sock"
state_directory = "$work/relay/state"
relay_certificate = "$work/relay/relay.pem"
relay_key = "$work/relay/relay.key"
crl_directory = "$work/relay/crl"
relay_host = "127.0.0.1"
relay_port = $port
relay_anchors = "$work/relay/ca.pem"
outage_wait_ms = 0 # the clock of the demo jumps over weeks in which the relay was not away
CONF
}

start_relay() {
    local tries
    "${clock[@]}" "$build/brugd" --config "$work/relay/brugd.conf" >>"$work/relay/log" 2>&1 &
    relay_pid=$!
    for tries in $(seq 200); do
        if ctl status >/dev/null 2>&1; then return 0; fi
        kill -0 "$relay_pid" 2>/dev/null || fail "brugd did not start"
        sleep 0.05
    done
    fail "brugd does not answer"
}

# ---- enrolling: one file out, one file back, one code by telephone ----

# enrol WHO HOME INVITATION [OPTION...]
enrol() {
    local who=$1 home=$2 invitation=$3 name code
    shift 3
    name=$(basename "$home")
    at "$home" init --invitation "$invitation" --out "$work/$name.request" "$@" 2>/dev/null
    certify "$name"
    code=$(at "$home" --json init --answer "$work/$name.answer" | field code)
    grep -q "$code" "$work/$name.code" || fail "the codes of $who and the operator differ"
    at "$home" init --code "$code" >/dev/null
    say "$who: keys made, certified, enrolled; both sides read the code $code."
}

# The CA signs and the operator enrols.
certify() {
    local name=$1
    ctl endpoint request "$work/$name.request" --out "$work/$name.csr" >/dev/null
    "$root/certs/make-pki" sign "$work/pki" "$work/$name.csr/identity.csr" "$work/$name.csr/sealing.csr" \
        "$work/$name.crt" >/dev/null
    ctl endpoint add "$work/$name.request" --identity "$work/$name.crt/identity.pem" \
        --sealing "$work/$name.crt/sealing.pem" --out "$work/$name.answer" >"$work/$name.code"
}

# Confirms all that waits, in the person's place.
trust_all() {
    local line
    at "$1" --json trust --refresh | python3 -c '
import json, sys
for o in json.load(sys.stdin):
    print(o["organisation"], o["fingerprint"], o["name"])' >"$work/waiting"
    while read -r organisation fingerprint line; do
        at "$1" trust "$organisation" --fingerprint "$fingerprint" >/dev/null
        say "$2 confirmed $line ($fingerprint)."
    done <"$work/waiting"
}

# ---- what the relay could read ----

# All longer words of the letters, the attachment and the youth's data, but those that the operator typed in himself.
collect_words() {
    cat "$data/verwijsbrief.txt" "$data/antwoord.txt" "$data/jeugdige.txt" "$data/verzuim.pdf" |
        grep -aoE '[[:alpha:]]{7,}|[0-9]{4}-[0-9]{2,}[0-9-]*' | sort -fu >"$work/all-words"
    printf 'Fenna\nTjoelker\n' >>"$work/all-words"
    while read -r word; do
        grep -qiF "$word" <<<"$practice_name $team_name M. van der Linde Samira Haddou Joost Meijer" ||
            echo "$word"
    done <"$work/all-words" >"$work/words"
}

# The name of the team must be found by the same search: else it would prove nothing.
search_relay() {
    local files bytes
    files=$(find "$work/relay/state" "$work/relay/log" -type f | wc -l)
    bytes=$(find "$work/relay/state" "$work/relay/log" -type f -exec cat {} + | wc -c)
    cat "$work/words" - <<<"$team_name" >"$work/wanted"
    grep -raioFhf "$work/wanted" "$work/relay/state" "$work/relay/log" | sort -fu >"$work/found" || true
    grep -qxiF "$team_name" "$work/found" || fail "the search finds not even what must be there"
    if grep -vxiF "$team_name" "$work/found" >"$work/too-much"; then fail "the relay's files hold: $(paste -sd' ' "$work/too-much")"; fi
    say "Searched $files files ($bytes bytes: database, write-ahead log, audit, log) for $(wc -l <"$work/words") words: none found."
    say "(The same search does find \"$team_name\", which the operator typed in.)"
}

# ---- the demo ----

printf 'Brug: the story of a case, end to end, with a kill of the relay in the middle. (In %s)\n' "$work"

step "A certificate authority, a certificate for the relay, and the relay itself on loopback."
mkdir -p "$work/relay/state" "$work/relay/crl"
"$root/certs/make-pki" init "$work/pki" --name "CA van Voorbeeldstad" >/dev/null
cp "$work/pki/relay.pem" "$work/pki/relay.key" "$work/pki/ca.pem" "$work/relay/"
"$root/certs/make-pki" crl "$work/pki" --days 396 >/dev/null # the clock will move to next year
cp "$work/pki/crl.pem" "$work/relay/crl/"
say "The CA's own key stays outside the relay's folder."
write_settings
start_relay
say "brugd listens on 127.0.0.1:$port (TLS 1.3, client certificates only), process $relay_pid."

step "The operator adds the municipality, a practice with one GP, and a team of two consultants."
town=$(ctl --json municipality add --name Voorbeeldstad --anchor "$work/pki/ca.pem" | field municipality)
practice=$(ctl --json org add --kind practice --municipality "$town" --name "$practice_name" --out "$work/recovery.invitation" | field organisation)
team=$(ctl --json org add --kind team --municipality "$town" --name "$team_name" --telephone 0570-000333 --out "$work/team.invitation" | field organisation)
ctl person add --org "$practice" --name "M. van der Linde" --role gp --out "$work/gp.invitation" >/dev/null
ctl person add --org "$team" --name "Samira Haddou" --role consultant --out "$work/samira.invitation" >/dev/null
ctl person add --org "$team" --name "Joost Meijer" --role consultant --out "$work/joost.invitation" >/dev/null
ctl person add --org "$team" --name "Policy adviser" --role observer --out "$work/adviser.invitation" >/dev/null
say "$practice_name: M. van der Linde (gp).  $team_name: Samira Haddou, Joost Meijer (consultants), and somebody who sees figures only."

step "Everybody enrols: one file out, one file back, and one code that both sides compare by telephone."
enrol "M. van der Linde" "$gp" "$work/gp.invitation"
enrol "$practice_name's recovery entry" "$spare" "$work/recovery.invitation" --recovery
say "  (A practice with one endpoint must have one: its key is kept off-line, for when the laptop is lost.)"
enrol "Samira Haddou" "$samira" "$work/samira.invitation"
enrol "Joost Meijer" "$joost" "$work/joost.invitation"
enrol "Policy adviser" "$adviser" "$work/adviser.invitation"

step "Nobody believes the relay about who is who: a person confirms each organisation once. What the GP sees:"
at "$gp" sync >/dev/null
as "M. van der Linde" "$gp" trust
say "THE DEMO CONFIRMS THE FINGERPRINTS IN THESE PEOPLE'S PLACE. In earnest they call each other and compare them."
as "M. van der Linde" "$gp" trust "$team_name" --fingerprint "$(at "$gp" --json directory "$team" | field fingerprint)"
trust_all "$gp" "M. van der Linde"
trust_all "$samira" "Samira Haddou"
trust_all "$joost" "Joost Meijer"

step "The GP refers. The letter is sealed on the GP's own machine, to both consultants."
as "M. van der Linde" "$gp" refer "$team_name" --reason mild-psychological --type clarify --ground consent \
    --moment first-conversation --youth "$data/jeugdige.txt" --letter "$data/verwijsbrief.txt" \
    --attach "$data/verzuim.pdf" --subject "Somber en vaak ziek gemeld"
[ "$(at "$gp" --json sent 1 | field state)" = stored ] || fail "the relay gave no receipt"
case=$(at "$gp" --json sent 1 | field case_code)

step "The receipt is there, nobody has fetched the letter yet: now the relay is killed (kill -9 $relay_pid)."
{ kill -9 "$relay_pid" && wait "$relay_pid"; } 2>/dev/null || true # the shell would report the end of its job
relay_pid=
collect_words
say "What lies on its disk at this moment:"
search_relay

step "While it is down the GP adds a line. It stays on the GP's machine."
printf 'Aanvulling: moeder is het best te bereiken na vijf uur.\n' >"$work/more.txt"
as "M. van der Linde" "$gp" send "$case" --letter "$work/more.txt" --wait 1

step "The relay starts again; the GP's machine sends what it kept."
start_relay
say "brugd is back, process $relay_pid."
as "M. van der Linde" "$gp" sync

step "Both consultants receive the referral, once."
as "Samira Haddou" "$samira" sync
as "Samira Haddou" "$samira" show 1
at "$joost" sync >/dev/null
as "Joost Meijer" "$joost" inbox
mkdir "$work/dossier"
at "$joost" show 1 >/dev/null
at "$joost" export 1 --plain --out "$work/dossier" >/dev/null
cmp -s "$data/verzuim.pdf" "$work/dossier/$case-1-1-verzuim.pdf" || fail "the attachment did not arrive as it was"
at "$joost" --json show 1 | field letter | cmp -s - <(cat "$data/verwijsbrief.txt" && echo) || fail "the letter did not arrive as it was"
for home in "$samira" "$joost"; do
    [ "$(at "$home" --json sync | field received)" = 0 ] || fail "something came twice"
    [ "$(at "$home" --json find Tjoelker | grep -c '"number"')" = 1 ] || fail "the referral is not there once"
done
say "Letter and attachment are byte for byte what the GP sent, at both; another sync brings nothing twice."

step "Samira answers; the GP reads it, and sees what became of the referral."
as "Samira Haddou" "$samira" send "$case" --kind note --letter "$data/antwoord.txt" --reply-to 1
at "$gp" sync >/dev/null
as "M. van der Linde" "$gp" show "$case"
as "M. van der Linde" "$gp" sent 1 --refresh
at "$gp" --json show "$case" | field letter | cmp -s - <(cat "$data/antwoord.txt" && echo) || fail "the answer did not arrive as it was"

step "Both consultants take the case up at the same moment. The first that is on disk is the director; the other hears who."
for home in "$samira" "$joost"; do
    { at "$home" claim "$case" >"$home.claim" 2>&1 || true; } &
    claims+=($!)
done
wait "${claims[@]}"
sync_all
director_name=$(at "$gp" --json case "$case" | field director_name)
if [ "$director_name" = "Samira Haddou" ]; then
    director=$samira colleague=$joost colleague_name="Joost Meijer"
else
    director=$joost colleague=$samira colleague_name="Samira Haddou"
fi
grep -q "$director_name heeft deze casus al opgepakt" "$colleague.claim" || fail "the second claim was not told by whom"
say "$director_name is the director. $colleague_name was told:"
grep "heeft deze casus al opgepakt" "$colleague.claim" | sed 's/^/   | /'
as "M. van der Linde" "$gp" case "$case"

step "The GP asks how it goes: an answer is owed. The answer settles it."
printf 'Is er al een eerste gesprek gepland?\n' >"$work/question.txt"
as "M. van der Linde" "$gp" ask "$case" --letter "$work/question.txt"
at "$director" sync >/dev/null
as "$director_name" "$director" owed
printf 'Ja, dinsdag om vier uur.\n' >"$work/reply.txt"
as "$director_name" "$director" answer "$case" --letter "$work/reply.txt"

step "The director looks whether the social team knows the family, starts, and reports on the moment that the GP named."
as "$director_name" "$director" start "$case" --involvement not-known --letter "$data/antwoord.txt"
as "$director_name" "$director" interim "$case" --moment first-conversation --letter "$work/reply.txt"

step "While the youth waits for a provider: bridging care, in force only once both sides have signed what each risk asks."
risks=(--suicidality nee --somatic niet-gevraagd --who "$director_name belt wekelijks" --evening "huisartsenpost")
as "$director_name" "$director" bridge "$case" --carrier consultant --until "$(date -d '+20 days' +%F)" "${risks[@]}"
sync_all
at "$gp" case "$case" | grep "Nog NIET afgesproken" | sed 's/^ */   | /'
as "M. van der Linde" "$gp" agree "$case" "${risks[@]}"
sync_all
at "$gp" case "$case" | grep "Overbruggingszorg" | sed 's/^ */   | /'
refused "$director_name" "$director" close "$case" --outcome own-short-support --letter "$work/reply.txt"
as "M. van der Linde" "$gp" bridge "$case" --end
sync_all

step "Closing is refused as long as the team owes something."
at "$gp" ask "$case" --letter "$work/question.txt" >/dev/null
sync_all
refused "$director_name" "$director" close "$case" --outcome own-short-support --letter "$work/reply.txt"
at "$director" answer "$case" --letter "$work/reply.txt" >/dev/null
as "$director_name" "$director" close "$case" --outcome own-short-support --conversations 6 --letter "$data/antwoord.txt"
sync_all
say "Until the GP has opened the closing letter, custody stays with the team:"
at "$director" case "$case" | grep "De regie ligt" | sed 's/^ */   | /'
at "$gp" show "$case" >/dev/null
sync_all
at "$director" case "$case" | grep "De regie ligt" | sed 's/^ */   | /'

step "A second referral. The team proposes not to take it up: nothing moves until the GP has answered. The GP objects."
at "$gp" refer "$team_name" --reason parenting --type advice --ground consent --name "Daan Visser" \
    --born "$(date -d '-9 years' +%F)" --letter "$work/question.txt" --yes >/dev/null
second=$(at "$gp" --json cases | field case_code)
sync_all
as "Samira Haddou" "$samira" decline "$second" --reason no-room-in-time --letter "$work/reply.txt"
at "$gp" sync >/dev/null
at "$gp" case "$second" | grep -E "De regie ligt|wil deze casus niet" | sed 's/^ */   | /'
as "M. van der Linde" "$gp" object "$second"
sync_all

step "Nobody takes it up. The clock moves on, and the relay reminds by itself: first the team, then both sides."
due=$(at "$gp" --json case "$second" | python3 -c '
import json, sys
print(next(o["due"] for o in json.load(sys.stdin)["relay"]["owed"] if o["kind"] == "take-up"))')
for moment in "the day that it is due ($due):$due" "a week later:$(date -d "$due +7 days" +%F)"; do
    stop_relay || fail "brugd did not end cleanly"
    set_clock "${moment#*:}"
    start_relay
    say "It is ${moment%:*}."
    until at "$samira" --json sync | grep -q '"received": [1-9]'; do sleep 0.2; done
    at "$samira" inbox | sed -n '1,3p' | sed 's/^/   | /'
done
at "$gp" sync >/dev/null
as "M. van der Linde" "$gp" owed
at "$gp" case "$second" | grep "door niemand van .* geopend. Bel" | sed 's/^ */   | /' || fail "nobody told the GP that his letter was not opened"

year=$(date +%Y)
step "The year $year is over. Nobody registered anything: the figures come from the letters. The team sees its own as they are:"
stop_relay || fail "brugd did not end cleanly"
set_clock "$((year + 1))-01-02"
start_relay
as "$director_name" "$director" figures --from "$year"
say "Others see them so that nobody can be recognised, whatever tables they put beside one another:"
as "Policy adviser" "$adviser" figures --from "$year"
grep -q "In: verwezen *<5" "$work/said" || fail "less than 5 was not held back"

step "A letter is plain CMS: any PKI tool opens it with the reader's key. Here openssl, with Joost's."
at "$joost" export 1 --out "$work/letter.der"
shown openssl openssl cms -decrypt -inform DER -in "$work/letter.der" -inkey "$joost/sealing.key" \
    -recip "$work/joost.crt/sealing.pem" -out "$work/signed.der"
shown openssl openssl cms -verify -inform DER -in "$work/signed.der" -CAfile "$work/pki/ca.pem" -purpose any \
    -out "$work/content"
grep -aqF "Fenna" "$work/content" || fail "openssl did not open the letter"
grep -a -m 1 -A 2 "Graag uw hulp" "$work/content" | sed 's/^/   | /'
if openssl cms -decrypt -inform DER -in "$work/letter.der" -inkey "$work/relay/relay.key" -recip "$work/relay/relay.pem" \
    >/dev/null 2>&1; then
    fail "the relay's key opens the letter"
fi
say "The relay's own key does not open it."

step "What the relay holds of all this, after everything:"
search_relay
stop_relay || fail "brugd did not end cleanly"
relay_pid=
printf '\nNothing was lost, nothing came twice, and the relay could not read a word. (%d s)\n' "$SECONDS"
