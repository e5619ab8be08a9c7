#!/usr/bin/env bash
# wheels: build and lay out Coffer's Python packages; runs in the toolchain, with /coffer/python/{tree,kept} mounted.
#   Makes kept/$LOCKED: the packages of the locks, laid out in site, their wheels in wheels; and kept/$SOURCE: our own, the same way.
set -euo pipefail
cd /coffer/python
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-1704067200} PIP_DISABLE_PIP_VERSION_CHECK=1

pip() { /tmp/tools/bin/python -m pip --no-input "$@"; }

lay_out() {  # lay_out FOLDER: install its wheels into its site, and leave out what is of no use on a machine
  pip install --no-index --no-deps --no-compile --target "$1/site" "$1"/wheels/*.whl
  # Launchers (the image has its own), headers, tests, debug symbols, and Arrow's ways to others' clouds.
  (
    cd "$1/site"
    rm -rf bin share include pyarrow/{include,src,tests} pyarrow/*{flight,s3,gcsfs,azurefs,cpp_tests}*
    find . -type d \( -name tests -o -name test \) -prune -exec rm -rf {} +
    find . \( -name RECORD -o -name direct_url.json -o -name REQUESTED -o -name INSTALLER -o -name '*.pyi' -o -name '*.pxd' \) -delete
    find . -type f \( -name '*.so' -o -name '*.so.*' \) -exec strip --strip-unneeded {} +
  )
  /tmp/tools/bin/python -m compileall -q -j 2 --invalidation-mode unchecked-hash -s "$PWD/$1/site" -p /usr/lib/coffer/site "$PWD/$1/site"
  (cd "$1/wheels" && sha256sum ./*.whl | sed 's,\./,,') >"$1/wheels.sha256"
}

made=kept/unfinished
rm -rf "$made"
mkdir -p "$made"
python3 -m venv --clear /tmp/tools
pip install --require-hashes --no-deps -r tree/requirements-build.txt
if [ ! -d "kept/$LOCKED" ]; then
  rm -rf kept/locked-*
  # What is compiled here lies in a folder that pip names by chance, which neither debug information nor a hash may bear.
  CFLAGS='-O2 -g0' LDFLAGS=-Wl,--build-id=none pip wheel --require-hashes --no-deps --no-build-isolation --use-pep517 -r tree/requirements.txt --wheel-dir "$made/wheels"
  lay_out "$made"
  mv "$made" "kept/$LOCKED"
  mkdir "$made"
fi
rm -rf kept/source-* /tmp/source
mkdir /tmp/source
# shellcheck disable=SC2086  # names of the tree, without blanks
tar -C tree --exclude=__pycache__ --exclude='*.so' -c $SOURCES | tar -C /tmp/source -x
PATH=/tmp/tools/bin:$PATH pip wheel --no-deps --no-build-isolation /tmp/source --wheel-dir "$made/wheels"
lay_out "$made"
# Whatever is missing now shows here, and not on the machine.
for module in appliance.cli.__main__ appliance.agent.daemon appliance.agent.worker services.registry pyarrow.parquet; do
  PYTHONPATH=$made/site:kept/$LOCKED/site python3 -B -c "import $module"
done
mv "$made" "kept/$SOURCE"
