#!/usr/bin/env bash
# machine: start a software TPM and QEMU over the files of one machine; runs in the toolchain, ends when QEMU does.
set -euo pipefail
cd /work/machine
[ -e disk.qcow2 ] || qemu-img create -q -f qcow2 -b /work/image.raw -F raw disk.qcow2 "${DISK_GIB}G"
[ -e variables.fd ] || cp /usr/share/OVMF/OVMF_VARS_4M.fd variables.fd
mkdir -p tpm
rm -f /run/tpm
swtpm socket --tpm2 --tpmstate dir=/work/machine/tpm --ctrl type=unixio,path=/run/tpm --log file=/work/machine/tpm.log,level=1 &
for _ in $(seq 100); do [ -S /run/tpm ] || sleep 0.05; done

network=(-nic none)
if [ "$PORT" != 0 ]; then
  network=(-netdev "user,id=net,hostfwd=tcp:127.0.0.1:$PORT-:$PEER_PORT" -device "virtio-net-pci,netdev=net,romfile=")
fi
given=()
while IFS= read -r line; do
  if [ -n "$line" ]; then given+=(-smbios "type=11,value=${line//,/,,}"); fi
done <<<"$STRINGS"
case $CONSOLE in
  file) serial=(-chardev "file,id=serial,path=console.log,append=on" -serial chardev:serial -monitor none) ;;
  terminal) serial=(-serial mon:stdio) ;;
esac
# -accel tcg: /dev/kvm may be there and not work. max without la57: all that compiled code asks for, with shorter page walks.
exec qemu-system-x86_64 -nodefaults -display none -no-user-config \
  -machine q35,smm=on -accel tcg,thread=multi -cpu max,la57=off -smp "$CORES" -m "$MEMORY_MIB" -uuid "$MACHINE" \
  -global driver=cfi.pflash01,property=secure,value=on \
  -drive if=pflash,format=raw,unit=0,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.secboot.fd \
  -drive if=pflash,format=raw,unit=1,file=variables.fd \
  -chardev socket,id=tpm,path=/run/tpm -tpmdev emulator,id=tpm,chardev=tpm -device tpm-tis,tpmdev=tpm \
  -drive if=none,id=disk,file=disk.qcow2,format=qcow2,cache=writeback,discard=unmap -device virtio-blk-pci,drive=disk,bootindex=1 \
  -device virtio-rng-pci "${network[@]}" "${serial[@]}" "${given[@]}"
