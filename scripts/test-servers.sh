#!/bin/sh
# Installs the real servers and the browser that the tests drive (Debian packages). The tests start
# them themselves, on free ports, in temporary directories; nothing is left running.
set -eu
missing=""
command -v redis-server >/dev/null || missing="$missing redis-server"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
command -v xmlsec1 >/dev/null || missing="$missing xmlsec1" # what pysaml2, the other IdP, signs with
command -v chromium >/dev/null || missing="$missing chromium"
command -v php >/dev/null || missing="$missing php-cli"
ls /usr/lib/php/*/dom.so >/dev/null 2>&1 || missing="$missing php-xml"
# SimpleSAMLphp wants some CGI and some web server: these two, named first, and it brings no Apache.
# Debian installs mini-httpd switched off; the tests serve with PHP itself.
[ -d /usr/share/simplesamlphp ] || missing="$missing php-cgi mini-httpd simplesamlphp"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "==> Installing what the tests drive:$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086  # a list of package names
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "The tests need servers that are not installed. Run: sudo apt-get install -y$missing" >&2
    exit 1
fi
