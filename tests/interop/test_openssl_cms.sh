#!/usr/bin/env bash
# test_openssl_cms.sh: `openssl cms` opens what we sealed, and we open what `openssl cms` sealed in the
# profile, and only that. Environment: BRUG_BUILD, the build folder.
set -u
tool=${BRUG_BUILD:?}/tests/interop/letter_tool
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
number=0

# check TEXT COMMAND...: one test, passed if the command succeeds
check() {
    local text=$1
    shift
    number=$((number + 1))
    if "$@" >said 2>&1; then
        echo "ok $number - $text"
    else
        echo "not ok $number - $text"
        sed 's/^/# /' said
    fi
}

# ---- people: 1 writes to 2 and 3; 4 is a stranger ----

umask 077
cat >certificate.cnf <<'END'
[req]
distinguished_name = name
prompt = no
[name]
CN = test
[identity]
subjectKeyIdentifier = hash
keyUsage = critical,digitalSignature
[sealing]
subjectKeyIdentifier = hash
keyUsage = critical,keyAgreement
END
for person in 1 2 3 4; do
    for use in identity sealing; do
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -config certificate.cnf \
            -extensions $use -subj "/O=Praktijk/CN=$person $use" -days 10 \
            -keyout $person.$use.key -out $person.$use.pem 2>/dev/null || exit 1
    done
done
letter='Geachte collega, wilt u meekijken met dit gezin?'

# ---- ours, opened by OpenSSL ----

decrypt() { # WHO SEALED SIGNED
    openssl cms -decrypt -binary -inform DER -in "$2" -recip "$1.sealing.pem" -inkey "$1.sealing.key" -out "$3"
}
verify() { # SIGNER SIGNED CONTENT
    openssl cms -verify -binary -inform DER -in "$2" -CAfile "$1.identity.pem" -purpose any -out "$3"
}
holds_text() { grep -qaF "$letter" "$1"; }
not() { ! "$@"; }

check 'we seal a letter' "$tool" . seal 1 header sealed 2 3 < <(printf %s "$letter")
for person in 1 2 3; do
    check "openssl cms decrypts it with the key of $person" decrypt $person sealed signed.$person
    check "openssl cms verifies it as $person" verify 1 signed.$person content.$person
    check "the text is in it, opened by $person" holds_text content.$person
done
check 'openssl cms cannot decrypt it with the key of a stranger' not decrypt 4 sealed signed.4
check 'openssl cms does not verify it as written by another' not verify 2 signed.1 content.4
check 'the sealed bytes do not hold the text' not holds_text sealed

# ---- OpenSSL's, opened by us: the options of the profile, and each other one alone ----

sign() { # IN OUT OPTION...
    local in=$1 out=$2
    shift 2
    openssl cms -sign -binary -nodetach -outform DER -in "$in" -out "$out" \
        -signer 1.identity.pem -inkey 1.identity.key "$@"
}
profile_sign=(-md sha256 -nosmimecap -keyid)
encrypt() { # IN OUT CIPHER OPTION...: to 1, 2 and 3
    local in=$1 out=$2 cipher=$3 person
    shift 3
    local -a to=()
    for person in 1 2 3; do to+=(-recip $person.sealing.pem "$@"); done
    openssl cms -encrypt -binary -outform DER "$cipher" -keyid -in "$in" -out "$out" "${to[@]}"
}
opens_with_text() { [ "$("$tool" . open "$1" header "$2" 1)" = "$letter" ]; }
is_refused() { # CODE SEALED
    [ "$("$tool" . open 2 header "$2" 1)" = "$1" ]
}

"$tool" . content 1 header content < <(printf %s "$letter") || exit 1
sign content good.signed "${profile_sign[@]}" || exit 1
encrypt good.signed good -aes-256-gcm -keyopt ecdh_kdf_md:sha256 || exit 1
for person in 1 2 3; do
    check "we open what openssl cms sealed, as $person" opens_with_text $person good
done
check 'we refuse it when another is believed to have written it' \
    test "$("$tool" . open 2 header good 3 2>said)" = LETTER_SIGNER

refuse_outer() { # TEXT CODE CIPHER OPTION...
    local text=$1 code=$2
    shift 2
    encrypt good.signed bad "$@" || exit 1
    check "we refuse $text" is_refused "$code" bad
}
refuse_outer 'the KDF that openssl takes by itself (SHA-1)' LETTER_PROFILE -aes-256-gcm
refuse_outer 'a KDF with SHA-384' LETTER_PROFILE -aes-256-gcm -keyopt ecdh_kdf_md:sha384
refuse_outer 'cofactor key agreement' LETTER_PROFILE -aes-256-gcm -keyopt ecdh_kdf_md:sha256 \
    -keyopt ecdh_cofactor_mode:1
refuse_outer 'AES-256-CBC' LETTER_PROFILE -aes-256-cbc -keyopt ecdh_kdf_md:sha256
refuse_outer 'AES-128-GCM' LETTER_PROFILE -aes-128-gcm -keyopt ecdh_kdf_md:sha256

refuse_inner() { # TEXT OPTION...
    local text=$1
    shift
    sign content bad.signed "$@" || exit 1
    encrypt bad.signed bad -aes-256-gcm -keyopt ecdh_kdf_md:sha256 || exit 1
    check "we refuse $text" is_refused LETTER_PROFILE bad
}
refuse_inner 'S/MIME capabilities' -md sha256 -keyid
refuse_inner 'a signer by issuer and serial number' -md sha256 -nosmimecap
refuse_inner 'a signature with SHA-1' -md sha1 -nosmimecap -keyid
refuse_inner 'a signature with SHA-512' -md sha512 -nosmimecap -keyid
refuse_inner 'a signature without attributes' "${profile_sign[@]}" -noattr
refuse_inner 'no certificate' "${profile_sign[@]}" -nocerts
refuse_inner 'a further certificate' "${profile_sign[@]}" -certfile 3.identity.pem
refuse_inner 'two signers' "${profile_sign[@]}" -signer 3.identity.pem -inkey 3.identity.key

openssl cms -encrypt -binary -outform DER -aes-256-gcm -in good.signed -out bad \
    -recip 2.sealing.pem -keyopt ecdh_kdf_md:sha256 || exit 1
check 'we refuse a recipient by issuer and serial number' is_refused LETTER_PROFILE bad
openssl cms -encrypt -binary -outform DER -aes-256-gcm -keyid -in good.signed -out good \
    -recip 2.sealing.pem -keyopt ecdh_kdf_md:sha256 || exit 1
check 'we open one to a single reader' opens_with_text 2 good
openssl cms -encrypt -binary -stream -outform DER -aes-256-gcm -keyid -in good.signed -out bad \
    -recip 2.sealing.pem -keyopt ecdh_kdf_md:sha256 || exit 1
check 'we refuse BER with indefinite lengths' is_refused LETTER_PROFILE bad
encrypt content bad -aes-256-gcm -keyopt ecdh_kdf_md:sha256 || exit 1
check 'we refuse what nobody signed' is_refused LETTER_PROFILE bad

echo "1..$number"
