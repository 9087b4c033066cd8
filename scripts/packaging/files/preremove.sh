#!/bin/sh
# Before the files go. An upgrade (deb: "upgrade", rpm: 1) leaves the service alone.
set -e
case ${1:-} in
  upgrade | 1 | failed-upgrade) exit 0 ;;
esac
if [ -d /run/systemd/system ]; then
  systemctl disable --now buzon-agent.service || true
fi
if command -v update-alternatives >/dev/null; then
  update-alternatives --remove agent /usr/bin/buzon-agent || true
fi
