#!/usr/bin/env bash
# machine: make what is missing of a machine's disk, firmware variables and TPM, start the TPM, then QEMU with the words given; runs in the toolchain, ends when QEMU does.
set -euo pipefail
cd /coffer/machine
[ -e disk.qcow2 ] || qemu-img create -q -f qcow2 -b /coffer/image.raw -F raw disk.qcow2 "${DISK_GIB}G"
# As qcow2 they can hold snapshots, which QEMU takes of all that a machine writes or of nothing.
[ -e variables.qcow2 ] || qemu-img convert -f raw -O qcow2 "$VARIABLES" variables.qcow2
# One bank of PCRs, as all that is sealed or compared is in it: firmware without hardware for it takes seconds to hash the kernel for each.
[ -e tpm ] || { mkdir tpm && swtpm_setup --tpm2 --tpmstate /coffer/machine/tpm --pcr-banks sha256 --overwrite >tpm.log; }
rm -f /run/tpm
swtpm socket --tpm2 --tpmstate dir=/coffer/machine/tpm --ctrl type=unixio,path=/run/tpm --log file=/coffer/machine/tpm.log,level=1 &
for _ in $(seq 100); do [ -S /run/tpm ] || sleep 0.05; done
exec qemu-system-x86_64 "$@"
