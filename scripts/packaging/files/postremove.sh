#!/bin/sh
# After the files are gone. What was received stays: the journal and its receipts, the
# outboxes, the credentials. A purge says where they are.
set -e
[ ! -d /run/systemd/system ] || systemctl daemon-reload || true
case ${1:-} in
  purge)
    cat <<'T'
buzon-agent is gone. These stay, for they may hold the only memory of what was sent:
  /var/lib/buzon     the journal: receipts, and what was not sent
  /srv/outbox        files
  /etc/buzon         a key may lie there: revoke it first (scripts/revoke-key NAME)
Once they are not needed any more:  rm -r /var/lib/buzon /etc/buzon; userdel buzon
T
    ;;
esac
