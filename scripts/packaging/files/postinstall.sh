#!/bin/sh
# After the files are there: the user, the folders, the short name, and systemd is told.
set -e
if ! getent passwd buzon >/dev/null; then
  useradd --system --user-group --home-dir /var/lib/buzon --no-create-home --shell /usr/sbin/nologin --comment "Buzon agent" buzon
fi
install -d -o buzon -g buzon -m 0700 /var/lib/buzon
install -d -o root -g root -m 0755 /etc/buzon
[ -e /srv/outbox ] || install -d -o buzon -g buzon -m 0770 /srv/outbox
# "agent" is a common name: it is taken only where nobody else has it.
if command -v update-alternatives >/dev/null; then
  if [ ! -e /usr/bin/agent ] || [ -L /usr/bin/agent ]; then
    update-alternatives --install /usr/bin/agent agent /usr/bin/buzon-agent 10 >/dev/null || true
  fi
fi
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  # An upgrade goes on with the new program; a first installation waits for its key.
  systemctl try-restart buzon-agent.service
fi
cat <<'T'
buzon-agent is installed, and not started. Next:
  /etc/buzon/agent.yaml      write the bucket, prefix and identity (scripts/agent-config NAME prints them)
  /etc/buzon/credentials     put the key there: owner buzon, mode 0600
  sudo -u buzon AWS_SHARED_CREDENTIALS_FILE=/etc/buzon/credentials buzon-agent check
  systemctl enable --now buzon-agent
T
