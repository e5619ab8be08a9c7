#!/usr/bin/env bash
# sign: append the signature of a key to modules, by the kernel's own tool; runs in the toolchain, with /coffer/drivers/{packages,modules,key,certificate} mounted.
#   sign.sh MODULE...     names of files; TOOLS in the environment is the file of packages that has the tool
set -euo pipefail
cd /coffer/drivers/modules
dpkg-deb --fsys-tarfile "../packages/$TOOLS" | tar --extract --directory /run --wildcards --transform 's,.*/,,' '*/scripts/sign-file'
for module; do /run/sign-file sha256 ../key ../certificate "$module"; done
