#!/usr/bin/env bash
# boot: run systemd as PID 1 over a throw-away copy of this machine's files, in namespaces of its own but for the network.
#   boot.sh FOLDER CHECKOUT [--net]     FOLDER: empty, for what the copy changes; prints nothing, ends when systemd does. Needs root.
# With --net the network too is its own, empty, and systemd-networkd is let at it.
set -euo pipefail
# shellcheck disable=SC2016  # the inner shell expands these, in its own namespaces
exec unshare ${3:+"$3"} --mount --pid --fork --uts --ipc --cgroup --propagation private bash -euc '
  folder=$1 checkout=$2 network=${3:-}
  mount -t tmpfs tmpfs "$folder"
  mkdir "$folder"/{upper,work,root}
  root=$folder/root
  mount -t overlay overlay "$root" -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work"
  mkdir -p "$root$checkout"
  mount --bind "$checkout" "$root$checkout"
  mount -t proc proc "$root/proc"
  mount --bind -o ro "$root/proc/sys" "$root/proc/sys"
  mount -t sysfs -o ro sysfs "$root/sys"
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
  for place in dev run tmp; do mount -t tmpfs tmpfs "$root/$place" -o mode=755; done
  chmod 1777 "$root/tmp"
  for node in null zero full random urandom tty; do touch "$root/dev/$node"; mount --bind "/dev/$node" "$root/dev/$node"; done
  mkdir "$root"/dev/{pts,shm}
  mount -t devpts devpts "$root/dev/pts" -o newinstance,ptmxmode=0666
  ln -s pts/ptmx "$root/dev/ptmx"
  mount -t tmpfs tmpfs "$root/dev/shm"

  : >"$root/etc/fstab"
  rm -rf "$root/var/lib/coffer" "$root/etc/machine-id"
  echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
  # The user coffer must be able to reach the checkout and its Python, wherever they lie.
  for above in "$checkout" "$(realpath "$checkout/.venv/bin/python")"; do
    while above=$(dirname "$above"); [ "$above" != / ]; do chmod o+x "$root$above"; done
  done
  units=$checkout/appliance/units
  cp -r "$units"/coffer.service{,.d} "$units"/coffer-console@.service "$units"/coffer-worker* "$units"/coffer-machine*.s* "$units"/coffer-machine*.timer "$root/etc/systemd/system/"
  mkdir -p "$root"/etc/{sysusers.d,tmpfiles.d}
  for users in coffer coffer-console; do cp "$units/$users.sysusers" "$root/etc/sysusers.d/$users.conf"; done
  for folders in coffer coffer-machine; do cp "$units/$folders.tmpfiles" "$root/etc/tmpfiles.d/$folders.conf"; done
  # The network is this machine'"'"'s own, and systemd-networkd must not touch it: its programs only note what they were told.
  for program in hostnamectl busctl timedatectl; do
    [ -z "$network" ] || break
    printf "%s\n" "#!/bin/sh" "echo \"\$0 \$*\" >>/run/coffer-machine/told" "cat /run/coffer-machine/says 2>/dev/null || true" >"$root/usr/bin/$program"
    chmod 755 "$root/usr/bin/$program"
  done
  for program in coffer coffer-console coffer-machine coffer-machine-seal coffer-worker coffer-worker-end; do ln -sf "$checkout/.venv/bin/$program" "$root/usr/bin/$program"; done
  printf "%s\n" "[Unit]" Requires=basic.target After=basic.target AllowIsolate=yes >"$root/etc/systemd/system/empty.target"

  cd "$root"
  mkdir -p .old
  pivot_root . .old
  umount -l /.old
  exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=empty.target --log-target=journal
' boot "$@"
