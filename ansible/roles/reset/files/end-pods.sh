#!/bin/sh
# Ends what K3s's unit leaves running on purpose (KillMode=process): pods, their mounts and their network. After K3s's own k3s-killall.sh.
pids=$(pgrep -f '^(/var/lib/rancher/k3s/data/[^ ]+/bin/)?containerd-shim' || true)
for pid in $pids; do
  # A shim's children are its containers.
  for child in $(pgrep -P "$pid" || true); do kill -9 "$child" 2>/dev/null || true; done
  kill -9 "$pid" 2>/dev/null && echo "ended shim $pid"
done
# The deepest first.
awk '$2 ~ "^(/run/k3s|/var/lib/rancher/k3s/agent/containerd|/var/lib/kubelet/pods|/var/lib/kubelet/plugins|/run/netns/cni-)" {print $2}' /proc/self/mounts \
  | sort -r | while read -r mount; do umount "$mount" && echo "ended mount $mount"; done
for name in cni0 flannel.1 flannel-wg; do ip link delete "$name" 2>/dev/null && echo "ended $name"; done
rm -rf /var/lib/cni/networks
exit 0
