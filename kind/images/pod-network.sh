#!/bin/sh
# On each node: the CNI configuration from the node's own pod range, a route to the range of every other node, and
# masquerading of what leaves the cluster. Again each 5 seconds, since nodes come and go.
#
# What still has a service's address when it is forwarded is for a service that kube-proxy does not know yet. It is refused: it
# would leave the node for whatever network this machine is in, and a stranger there who answers keeps the connection for good
# (seen: a Prometheus that scraped 404 from one for minutes).
set -u
account=/var/run/secrets/kubernetes.io/serviceaccount
api="https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT/api/v1/nodes"

trap 'exit 0' TERM
nft list table ip faultline_pods >/dev/null 2>&1 || nft -f - <<END || exit 1
table ip faultline_pods {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr $POD_SUBNET ip daddr != $POD_SUBNET masquerade
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    ip daddr $SERVICE_SUBNET reject
  }
}
END

pause=1
while sleep "$pause"; do
  nodes=$(curl -sf --max-time 5 --cacert "$account/ca.crt" -H "Authorization: Bearer $(cat "$account/token")" "$api") || continue
  own=$(printf '%s\n' "$nodes" | jq -r --arg name "$NODE_NAME" '.items[] | select(.metadata.name == $name) | .spec.podCIDR // empty')
  [ -n "$own" ] || continue
  if [ ! -s /etc/cni/net.d/10-pods.conflist ]; then
    cat >/etc/cni/net.d/.pods.tmp <<END
{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "ptp", "ipMasq": false, "mtu": 1500,
   "ipam": {"type": "host-local", "dataDir": "/run/cni-ipam-state", "routes": [{"dst": "0.0.0.0/0"}], "ranges": [[{"subnet": "$own"}]]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}
]}
END
    mv /etc/cni/net.d/.pods.tmp /etc/cni/net.d/10-pods.conflist
  fi
  printf '%s\n' "$nodes" | jq -r --arg name "$NODE_NAME" '.items[] | select(.metadata.name != $name and .spec.podCIDR != null)
      | [.spec.podCIDR, (.status.addresses[] | select(.type == "InternalIP").address)] | @tsv' |
    while read -r range address; do ip route replace "$range" via "$address"; done
  pause=5
done
