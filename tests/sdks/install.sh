#!/usr/bin/env bash
# Installs the pinned SDKs into the folder $1: a Python environment, and node_modules beside it; what they need to run,
# with the apt-get of $2. Ends with 3 where nothing can be reached to install them from, and with another failure where
# it can and they still are not to be had.
set -euo pipefail
from=$(cd "$(dirname "$0")" && pwd)
to=$1
read -ra apt <<<"$2"

missing=()
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
if [ ${#missing[@]} -gt 0 ]; then
	"${apt[@]}" update -qq && "${apt[@]}" install -y -qq "${missing[@]}" || exit 3
fi

# A registry that drops a connection gets a second chance.
twice() { "$@" || "$@"; }

python3 -m venv "$to"
# Whether a registry answers at all is asked only when an install fails: a wrong pin is a failure like any other.
twice "$to/bin/python" -m pip install -q --disable-pip-version-check -r "$from/requirements.txt" || {
	"$to/bin/python" -m pip download -q --no-deps -d "$to/probe" pip && exit 1 || exit 3
}
cp "$from/package.json" "$from/package-lock.json" "$to"
twice npm ci --prefix "$to" --ignore-scripts --no-audit --no-fund --loglevel=error || {
	npm view --prefix "$to" stripe version && exit 1 || exit 3
}
