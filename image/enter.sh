#!/usr/bin/env bash
# enter: run a program with the toolchain's files as its root, in mount and process namespaces of its own; all it leaves running ends with it, and it ends with whoever called.
#   enter.sh ROOT [PLACE[=WHERE]]... -- PROGRAM [ARGUMENT]...     PLACE: a file or folder outside, seen inside WHERE, or at the same path
# pivot_root, not chroot: mkosi's sandbox wants / to be a mount point, and in a chroot user namespaces are refused.
set -euo pipefail
# shellcheck disable=SC2016  # the inner shell expands these, in its own namespaces
exec setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --propagation private bash -euc '
  root=$1; shift
  mount --bind "$root" "$root"
  mount --rbind /dev "$root/dev"
  mount -t proc proc "$root/proc"
  mount --rbind /sys "$root/sys"
  mount -t tmpfs -o mode=755 tmpfs "$root/run"
  for file in resolv.conf hosts; do
    [ ! -e "/etc/$file" ] || { [ -e "$root/etc/$file" ] || : >"$root/etc/$file"; mount --bind "/etc/$file" "$root/etc/$file"; }
  done
  while [ "$1" != -- ]; do
    place=${1%%=*} where=${1#*=}
    if [ -d "$place" ]; then mkdir -p "$root$where"; else mkdir -p "$root$(dirname "$where")"; [ -e "$root$where" ] || : >"$root$where"; fi
    mount --rbind "$place" "$root$where"
    shift
  done
  shift
  cd "$root"
  mkdir -p .old
  pivot_root . .old
  umount -l /.old
  cd /
  exec "$@"
' enter "$@"
