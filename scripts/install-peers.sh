#!/usr/bin/env bash
# Installs the programs that the tests talk to, where that is possible. Tests whose peer is missing are skipped and say
# so, hence nothing here fails a run.
set -uo pipefail

packages=(socat ncat netcat-openbsd util-linux bsdextrautils procps iproute2 tmux)
programs=(socat ncat nc.openbsd script hexdump ps ip tmux)

missing() {
  local program
  for program in "${programs[@]}"; do
    command -v "$program" >/dev/null || printf ' %s' "$program"
  done
}

if [ -z "$(missing)" ]; then exit 0; fi

if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq || true
  # One by one: a package that a system does not have must not keep the others away.
  for package in "${packages[@]}"; do
    apt-get install -y -qq --no-install-recommends "$package" >/dev/null || echo "could not install $package"
  done
fi

left=$(missing)
if [ -n "$left" ]; then echo "not installed, so the tests that need them are skipped:$left"; fi
exit 0
