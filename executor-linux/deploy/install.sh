#!/bin/sh
# Installs the executor from this folder as a service, or updates it. `cargo xtask deploy` makes the folder and calls this;
# by hand: copy the folder to the board, then `sudo sh install.sh` there.
#
# DESTDIR=/some/root installs into that root and starts nothing: for an SD card's image that is not running.
set -eu
cd "$(dirname "$0")"
root=${DESTDIR:-}

if [ -z "$root" ] && [ "$(id -u)" != 0 ]; then
    echo 'install.sh: become root first: sudo sh install.sh' >&2
    exit 1
fi
if ! ./executor --version >/dev/null 2>&1 && [ -z "$root" ]; then
    echo "install.sh: ./executor does not run on this machine ($(uname -m)): was it built for another board?" >&2
    exit 1
fi

install -d "$root/usr/local/bin" "$root/etc/systemd/system/executor.service.d" "$root/etc/executor/keys"
# Beside the old one first, then in its place: a program that runs cannot be written to.
install -m 755 executor "$root/usr/local/bin/executor.new"
mv -f "$root/usr/local/bin/executor.new" "$root/usr/local/bin/executor"
install -m 644 executor.service "$root/etc/systemd/system/executor.service"
install -m 644 board.conf "$root/etc/systemd/system/executor.service.d/board.conf"
for key in keys/*.pub; do
    [ -e "$key" ] && install -m 644 "$key" "$root/etc/executor/keys/"
done

if [ -n "$root" ]; then
    echo "installed below $root; enable it there: systemctl --root=$root enable executor"
    exit 0
fi
systemctl daemon-reload
systemctl enable executor
systemctl restart executor
systemctl --no-pager --lines=5 status executor
