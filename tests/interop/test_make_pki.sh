#!/usr/bin/env bash
# test_make_pki.sh: what certs/make-pki certifies is what Brug accepts, and each broken one is refused for its own reason.
set -u

make_pki=certs/make-pki
judge=${BRUG_BUILD:-build/plain}/tests/interop/judge_certificate
org=01234567-89ab-4cde-8f01-23456789abcd
person=11234567-89ab-4cde-8f01-23456789abcd
endpoint=21234567-89ab-4cde-8f01-23456789abcd
d=$(mktemp -d)
trap 'rm -rf "$d"' EXIT
count=0

# ok NAME COMMAND...: one test.
ok() {
    local name=$1
    shift
    count=$((count + 1))
    if "$@" >"$d/out" 2>&1; then
        echo "ok $count - $name"
    else
        echo "not ok $count - $name"
        sed 's/^/# /' "$d/out"
    fi
}

# judged USE CERTIFICATE CODE [CRL]
judged() {
    local said
    said=$("$judge" "$1" "$d/ca/ca.pem" "${4:-$d/ca/crl.pem}" "$2" | head -n 1)
    [ "$said" = "$3" ] || { echo "$2 as $1: $said, not $3"; return 1; }
}

# refused STATUS WORDS COMMAND...: the status, and one line on standard error that has the words.
refused() {
    local status=$1 words=$2 said
    shift 2
    said=$("$@" 2>&1 >/dev/null)
    [ $? -eq "$status" ] && [ "$(wc -l <<<"$said")" = 1 ] && [[ $said == "make-pki: "*"$words"* ]] || { echo "$said"; return 1; }
}

same_mode() { [ "$(stat -c %a "$1")" = "$2" ]; }
new_endpoint() {
    "$make_pki" endpoint "$d/ca" --org "$org" --org-name "$1" --name "$2" --endpoint "$endpoint" "${@:3}"
}
names_are() { [ "$("$judge" identity "$d/ca/ca.pem" "$d/ca/crl.pem" "$1")" = "$2" ]; }

ok "a CA is made" "$make_pki" init "$d/ca"
for f in ca.key relay.key; do
    ok "$f is for its owner only" same_mode "$d/ca/$f" 600
done
ok "the relay's certificate is good" judged relay "$d/ca/relay.pem" NONE
ok "a CA is not made twice" refused 1 "is there already" "$make_pki" init "$d/ca"

ok "an endpoint is made" new_endpoint "Praktijk Zoë" "Dr. A" --person "$person" "$d/a"
ok "its identity is good" judged identity "$d/a/identity.pem" NONE
ok "its sealing certificate is good" judged sealing "$d/a/sealing.pem" NONE
ok "neither is the other" judged identity "$d/a/sealing.pem" TLS_WRONG_USE
ok "neither is a relay" judged relay "$d/a/identity.pem" TLS_WRONG_USE
ok "its names are as given" names_are "$d/a/identity.pem" "$(printf '%s\n' NONE "brug:$org/$person/$endpoint" "Praktijk Zoë" "Dr. A")"
hard='/O=X, CN=Y + "z" \ $HOME #é'
ok "a name is text, whatever stands in it" new_endpoint "$hard" "$hard" "$d/b"
ok "and comes out as it went in" names_are "$d/b/identity.pem" "$(printf '%s\n' NONE "brug:$org//$endpoint" "$hard" "$hard")"
ok "an endpoint is not made twice" refused 1 "is there already" new_endpoint X X "$d/a"
ok "an id is a UUID" refused 2 "--endpoint must be a UUID" "$make_pki" endpoint "$d/ca" --org "$org" --org-name X --name X --endpoint x "$d/x"
ok "a name has at most 64 characters" refused 2 "--name must be" new_endpoint X "$(printf 'x%.0s' {1..65})" "$d/x"

# request NAME KEY NAMES O CN: a request as anybody could write one.
request() {
    printf '[req]\ndistinguished_name=dn\nprompt=no\nreq_extensions=x\nutf8=yes\nstring_mask=utf8only\n[dn]\nO=%s\nCN=%s\n[x]\nbasicConstraints=CA:TRUE\nkeyUsage=keyCertSign\nsubjectAltName=%s\n' \
        "$4" "$5" "$3" >"$d/request.cnf"
    openssl req -new -config "$d/request.cnf" -key "$2" -out "$d/$1.csr"
}
uri=URI:brug:$org/$person/$endpoint
for k in k1 k2; do
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$d/$k.key"
done
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out "$d/p384.key"
request i "$d/k1.key" "$uri" O CN
request s "$d/k2.key" "$uri" O CN
ok "two requests are signed" "$make_pki" sign "$d/ca" "$d/i.csr" "$d/s.csr" "$d/c"
ok "what they ask for besides is not granted" judged identity "$d/c/identity.pem" NONE
ok "nor in the other" judged sealing "$d/c/sealing.pem" NONE
ok "one key for two is refused" refused 1 "the same key" "$make_pki" sign "$d/ca" "$d/i.csr" "$d/i.csr" "$d/x"
request n "$d/k2.key" "$uri" O "CN of another"
ok "two names are refused" refused 1 "different endpoints" "$make_pki" sign "$d/ca" "$d/i.csr" "$d/n.csr" "$d/x"
request n "$d/k2.key" "URI:brug:$org//$endpoint" O CN
ok "two endpoints are refused" refused 1 "different endpoints" "$make_pki" sign "$d/ca" "$d/i.csr" "$d/n.csr" "$d/x"
for names in "$uri,DNS:localhost" "DNS:localhost,$uri" "$uri,$uri" URI:brug:x DNS:x "${uri}x" "${uri/$person/${person^^}}0" 'URI:x\, DNS:y'; do
    request n "$d/k1.key" "$names" O CN
    ok "refused: $names" refused 1 "does not name an endpoint" "$make_pki" sign "$d/ca" "$d/n.csr" "$d/s.csr" "$d/x"
done
request n "$d/p384.key" "$uri" O CN
ok "a P-384 key is refused" refused 1 "not P-256" "$make_pki" sign "$d/ca" "$d/n.csr" "$d/s.csr" "$d/x"
sed '3s/./A/20' "$d/i.csr" >"$d/n.csr"
ok "a changed request is refused" refused 1 "was changed" "$make_pki" sign "$d/ca" "$d/n.csr" "$d/s.csr" "$d/x"
ok "a file that is no request is refused" refused 1 "no certificate request" "$make_pki" sign "$d/ca" "$make_pki" "$d/s.csr" "$d/x"
ok "a file that is missing is named" refused 1 "there is no file" "$make_pki" sign "$d/ca" "$d/none" "$d/s.csr" "$d/x"

ok "a relay's certificate is renewed" "$make_pki" relay "$d/ca" "$d/relay" --host brug.example.nl --host 192.0.2.1 --host 2001:db8::1
ok "and good" judged relay "$d/relay/relay.pem" NONE
ok "a host has no wildcard" refused 2 "no host name" "$make_pki" relay "$d/ca" "$d/x" --host '*.example.nl'
ok "a host brings no other names" refused 2 "no host name" "$make_pki" relay "$d/ca" "$d/x" --host 'a,URI=b'

ok "before it is revoked" judged identity "$d/a/identity.pem" NONE
ok "a certificate is revoked" "$make_pki" revoke "$d/ca" "$d/a/identity.pem"
ok "and refused" judged identity "$d/a/identity.pem" TLS_REVOKED
ok "the other one is not" judged sealing "$d/a/sealing.pem" NONE
ok "nobody is revoked twice" refused 1 "cannot revoke" "$make_pki" revoke "$d/ca" "$d/a/identity.pem"
ok "a new list keeps it" "$make_pki" crl "$d/ca" --days 7
ok "refused as before" judged identity "$d/a/identity.pem" TLS_REVOKED

ok "broken ones are made" "$make_pki" broken "$d/ca" "$d/broken"
ok "a stranger's certificate is not revoked" refused 1 "not issued by this CA" "$make_pki" revoke "$d/ca" "$d/broken/other-ca.pem"
while read -r use name code; do
    ok "broken: $name" judged "$use" "$d/broken/$name.pem" "$code"
done <<'END'
identity expired TLS_EXPIRED
identity not-yet-valid TLS_EXPIRED
identity server-and-client TLS_WRONG_USE
identity no-extended-usage TLS_WRONG_USE
identity no-usage TLS_WRONG_USE
identity signs-and-agrees TLS_WRONG_USE
identity sealing-as-identity TLS_WRONG_USE
identity relay-as-identity TLS_WRONG_USE
identity ca-as-leaf TLS_WRONG_USE
identity sha1 TLS_WEAK
identity rsa1024 TLS_WEAK
identity rsa2048 TLS_WEAK
identity secp256k1 TLS_WEAK
identity no-uri TLS_WRONG_USE
identity two-uris TLS_WRONG_USE
identity bad-uri TLS_WRONG_USE
identity revoked TLS_REVOKED
identity self-signed TLS_UNKNOWN_CA
identity other-ca TLS_UNKNOWN_CA
relay relay-other-ca TLS_UNKNOWN_CA
relay relay-expired TLS_EXPIRED
relay relay-and-client TLS_WRONG_USE
relay relay-wildcard TLS_WRONG_USE
relay relay-other-host NONE
END
ok "a list that is out of date" judged identity "$d/c/identity.pem" TLS_CRL_STALE "$d/broken/stale-crl.pem"

ok "help is given" "$make_pki" --help
ok "a command that is none" refused 2 "no command" "$make_pki" certify
ok "no CA in the folder" refused 1 "holds no CA" "$make_pki" crl "$d/none"
echo "1..$count"
