#!/usr/bin/env bash
# modules: make a kernel image whose initrd loads modules and says what came of each; runs in the toolchain, in the folder of a forged disk.
#   modules.sh MODULE.ko...     takes vmlinuz and release, which names its release; leaves kernel.efi, unsigned
set -euo pipefail
rm -rf initrd
mkdir -p initrd/{bin,dev,proc,sys,lib64}
for program in bash mount sleep insmod rmmod; do
  cp -L "$(command -v "$program")" initrd/bin
  ldd "$(command -v "$program")" | grep -o '/[^ ]*' | while read -r library; do mkdir -p "initrd$(dirname "$library")"; cp -L "$library" "initrd$library"; done
done
cp "$@" initrd
cat >initrd/init <<'INIT'
#!/bin/bash
mount -t devtmpfs none /dev
exec </dev/ttyS0 >/dev/ttyS0 2>&1
mount -t proc none /proc
mount -t sysfs none /sys
mount -t securityfs none /sys/kernel/security
echo "lockdown: $(</sys/kernel/security/lockdown)"
echo "enforced: $(</sys/module/module/parameters/sig_enforce)"
for module in /*.ko; do
  name=${module#/}
  if said=$(insmod "$module" 2>&1); then echo "module $name: loaded"; rmmod dummy; else echo "module $name: ${said##*: }"; fi
done
echo "taint: $(</proc/sys/kernel/tainted)"
echo "modules: done"
while :; do sleep 60; done
INIT
chmod +x initrd/init
(cd initrd && find . | cpio --quiet --create --format newc) | zstd --quiet -1 -f -o initrd.zst
ukify build --linux vmlinuz --initrd initrd.zst --uname "$(tr -d "\0" <release)" --cmdline 'console=ttyS0,115200 lockdown=integrity module.sig_enforce=1 quiet' --output kernel.efi
