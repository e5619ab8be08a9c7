#!/usr/bin/env bash
# build: make the modules of one recipe; runs in the toolchain, with /coffer/drivers/{packages,patches,work} mounted, where file names in modules are always the same.
#   From the environment: KERNEL; PACKAGE, a file of packages that has SOURCE; HEADERS, files of packages; PATCHES; and, a line each, FOLDERS, BUILDS, SETTINGS, MODULES.
#   Leaves work/made/MODULE.ko: unsigned, without symbols for debuggers.
set -euo pipefail
cd /coffer/drivers/work
mkdir headers unpacked source made

for file in $HEADERS; do dpkg-deb --extract "../packages/$file" headers; done
# Their makefiles name each other by where Debian installs them. These mounts end with this script.
for folder in src lib/modules lib/linux-kbuild-"${KERNEL%%-*}"; do
  mkdir -p "/usr/$folder"
  mount --bind "headers/usr/$folder" "/usr/$folder"
done

mapfile -t parts <<<"$FOLDERS"
dpkg-deb --fsys-tarfile "../packages/$PACKAGE" | tar --extract --directory unpacked "./$SOURCE"
if [ -d "unpacked/$SOURCE" ]; then
  mv "unpacked/$SOURCE" -T source
else
  top=$(basename "$SOURCE"); top=${top%%.tar.*}
  tar --extract --file "unpacked/$SOURCE" --directory source --strip-components=1 "${parts[@]/#/$top/}"
fi
rm -rf unpacked
for patch in $PATCHES; do patch --directory source --strip=1 --fuzz=0 <"../patches/$patch"; done

mapfile -t variables <<<"$SETTINGS"
while IFS= read -r folder; do
  # Types for BPF (BTF) would need a tool more, and nothing here reads them.
  if ! make --jobs="$(nproc)" --silent -C "/usr/lib/modules/$KERNEL/build" M="$PWD/source/$folder" \
    CONFIG_DEBUG_INFO_BTF_MODULES= "${variables[@]}" modules >said 2>&1; then
    cat said
    missing=$(sed -n 's/^ERROR: modpost: "\(.*\)" \[.*\] undefined!$/\1/p' said | sort -u | paste -s -d ' ')
    [ -z "$missing" ] || echo "the kernel does not export: $missing"
    exit 1
  fi
done <<<"$BUILDS"

while IFS= read -r module; do
  found=$(find source -name "$module.ko")
  strip --strip-debug -o "made/$module.ko" "$found"
done <<<"$MODULES"
