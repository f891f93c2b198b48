#!/bin/sh
# On cgroup v1, systemd leaves a directory for each controller that it knows, whether the kernel has it here or not; Chaos
# Mesh's daemon takes each for a controller, and stresses nothing: "controller is not supported". Run before containerd.
set -eu
root=/sys/fs/cgroup
# On cgroup v2 this is no directory of directories.
[ "$(stat -f -c %T "$root")" = tmpfs ] || exit 0
mount -o remount,rw "$root"
for entry in "$root"/*; do
  if [ -L "$entry" ]; then
    mountpoint -q "$(readlink -f "$entry")" || rm "$entry"
  fi
done
for entry in "$root"/*; do
  [ -L "$entry" ] || mountpoint -q "$entry" || rmdir "$entry"
done
mount -o remount,ro "$root"
