#!/usr/bin/env bash
# install.sh BUILD DESTDIR PREFIX SYSCONFDIR VERSION: what `make install` puts where. Parts that are
# not in the tree are left out; a settings file that is already there stays as it is.
set -eu
build=$1 dest=$2 prefix=$3 sysconf=$4 version=$5
root=$dest$prefix

# put MODE FOLDER FILE...: install the files that exist
put() {
    local mode=$1 folder=$2 file
    shift 2
    for file in "$@"; do
        [ -f "$file" ] || continue
        install -D -m "$mode" "$file" "$folder/$(basename "$file")"
        echo "installed $folder/$(basename "$file")"
    done
}

put 755 "$root/sbin" "$build/brugd"
put 755 "$root/bin" "$build/brugctl" "$build/brug"
put 644 "$root/include" include/brug.h
put 644 "$root/lib" "$build/libbrug.a"
put 644 "$root/share/brug/proto/brug/v1" proto/brug/v1/*.proto
put 644 "$root/share/doc/brug" proto/PROTOCOL.md README.md CHANGES.md
put 644 "$root/share/man/man1" doc/*.1
put 644 "$root/share/man/man5" doc/*.5
put 644 "$root/share/man/man8" doc/*.8
put 644 "$root/lib/sysusers.d" systemd/*.sysusers
put 644 "$root/lib/tmpfiles.d" systemd/*.tmpfiles

# The units and the pkg-config file name the place where things were put.
for unit in systemd/*.service systemd/*.socket systemd/*.timer; do
    [ -f "$unit" ] || continue
    install -d "$root/lib/systemd/system"
    to=$root/lib/systemd/system/$(basename "$unit")
    sed -E "s,/usr(/local)?/(sbin|bin)/(brug),$prefix/\\2/\\3,g" "$unit" >"$to"
    chmod 644 "$to"
    echo "installed $to"
done
if [ -f "$build/libbrug.a" ]; then
    install -d "$root/lib/pkgconfig"
    cat >"$root/lib/pkgconfig/brug.pc" <<PC
prefix=$prefix
libdir=\${prefix}/lib
includedir=\${prefix}/include

Name: brug
Description: Client of the Brug relay for sealed letters
Version: $version
Requires.private: openssl libprotobuf-c sqlite3 jansson libconfuse
Libs: -L\${libdir} -lbrug
Cflags: -I\${includedir}
PC
    chmod 644 "$root/lib/pkgconfig/brug.pc"
    echo "installed $root/lib/pkgconfig/brug.pc"
fi
if [ -f systemd/brugd.conf ] && [ ! -e "$dest$sysconf/brug/brugd.conf" ]; then
    put 644 "$dest$sysconf/brug" systemd/brugd.conf
fi
