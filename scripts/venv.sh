#!/bin/sh
# Makes .venv from one of the lock files: scripts/venv.sh runtime|dev
# Wheels only, every one checked against its hash. Does nothing when the lock has not changed.
# The lock is complete, so pip resolves nothing: left to itself, older pips look for "coverage[toml]" apart
# from the locked "coverage", find a newer release the day there is one, and refuse it for want of a hash.
set -eu
cd "$(dirname "$0")/.."
lock="requirements/$1.lock"
python="${PYTHON:-python3}"

stamp=".venv/.installed-$1"
wanted="$(cat "$lock" pyproject.toml | cksum)"
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && exit 0

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "Python 3.11 or newer is needed; set PYTHON=/path/to/it." >&2
    exit 1
}
if ! [ -x .venv/bin/python ]; then
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            echo "==> Installing python3-venv"
            apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null
        else
            echo "The venv module is missing. Run: sudo apt-get install -y python3-venv" >&2
            exit 1
        fi
    fi
    echo "==> Making .venv"
    "$python" -m venv .venv
fi
echo "==> Installing locked dependencies ($1), about a minute the first time"
.venv/bin/python -m pip install --quiet --disable-pip-version-check \
    --require-hashes --only-binary :all: --no-deps -r "$lock"
.venv/bin/python -m pip install --quiet --disable-pip-version-check \
    --no-deps --no-build-isolation --editable .
broken="$(.venv/bin/python -m pip check --disable-pip-version-check)" || { echo "$broken" >&2; exit 1; }
rm -f .venv/.installed-*
echo "$wanted" > "$stamp"
# The dev lock holds everything the runtime lock does.
if [ "$1" = dev ]; then cat requirements/runtime.lock pyproject.toml | cksum > .venv/.installed-runtime; fi
