#!/usr/bin/env bash
# Installs the programs that the tests talk to, where that is possible. Tests whose peer is missing are skipped and say
# so, hence nothing here fails a run.
set -uo pipefail

# Each program, and the Debian package that has it.
peers=(
  socat:socat ncat:ncat nc.openbsd:netcat-openbsd script:util-linux hexdump:bsdextrautils ps:procps ip:iproute2 tmux:tmux
  strace:strace tcpdump:tcpdump tshark:tshark dumpcap:wireshark-common editcap:wireshark-common
  # Shells and readers of what is generated for them, and the service manager's own tools.
  bash:bash zsh:zsh fish:fish mandoc:mandoc groff:groff-base
  systemd-socket-activate:systemd systemd-notify:systemd systemd-analyze:systemd python3:python3
  # Services that the probes are tested against.
  dnsmasq:dnsmasq-base named:bind9 unbound:unbound chronyd:chrony turnserver:coturn snmpd:snmpd
  coap-server-notls:libcoap3-bin memcached:memcached in.tftpd:tftpd-hpa freeradius:freeradius avahi-daemon:avahi-daemon
  kamailio:kamailio sipp:sip-tester caddy:caddy rsyslogd:rsyslog collectd:collectd-core minidlnad:minidlna
)

# Services stand where an ordinary user's PATH does not lead.
PATH="$PATH:/usr/sbin:/sbin"

missing() {
  local peer
  for peer in "${peers[@]}"; do
    command -v "${peer%%:*}" >/dev/null || printf ' %s' "${peer#*:}"
  done
}

if [ -z "$(missing)" ]; then exit 0; fi

if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
  export DEBIAN_FRONTEND=noninteractive
  # The tests start services themselves, on ports of their own: an installed one is not to run.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
  fi
  apt-get update -qq || true
  # One by one: a package that a system does not have must not keep the others away.
  for package in $(missing); do
    apt-get install -y -qq --no-install-recommends "$package" >/dev/null || echo "could not install $package"
  done
fi

left=$(missing)
if [ -n "$left" ]; then echo "not installed, so the tests that need them are skipped:$left"; fi
exit 0
