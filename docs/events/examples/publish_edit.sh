#!/bin/sh
# Publishes one edited date: publish_edit.sh SERIAL_NUMBER FIELD VALUE. Prints the id of the edit.
# For trying things out: the broker's management API confirms nothing and is slow.
# LIFECYCLE_MANAGEMENT_URL is such as http://acme:password@localhost:15672; LIFECYCLE_VHOST is %2F where it isn't set.
set -eu
now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
id=$(cat /proc/sys/kernel/random/uuid 2>/dev/null || uuidgen)  # keep it: sent again with it, it is the same edit
event=$(cat <<EVENT
{"specversion": "1.0", "id": "$id", "source": "/acme/import", "type": "date.edited", "time": "$now",
 "data": {"account_id": "$LIFECYCLE_ACCOUNT_ID", "asset": {"serial_number": "$1"}, "field": "$2", "value": "$3",
          "origin": "manual", "actor": "acme import", "edited_at": "$now"}}
EVENT
)
answer=$(curl --fail --silent --show-error --max-time 15 --json @- \
  "$LIFECYCLE_MANAGEMENT_URL/api/exchanges/${LIFECYCLE_VHOST:-%2F}/lifecycle.events/publish" <<REQUEST
{"routing_key": "date.edited", "payload_encoding": "base64", "payload": "$(printf %s "$event" | base64 | tr -d '\n')",
 "properties": {"delivery_mode": 2, "content_type": "application/cloudevents+json"}}
REQUEST
)
case $answer in
  *'"routed":true'*) echo "$id" ;;
  *) echo "no queue took the edit: $answer" >&2; exit 1 ;;
esac
