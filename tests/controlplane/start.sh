#!/usr/bin/env bash
# Sourced by scripts that want a control plane for as long as they run:
#
#   start_plane DIR    starts one in DIR/controlplane, and leads kubectl and helm there; fails if it does not come up, having said why
#   stop_plane         ends it, if it runs; for the trap on EXIT
plane_pid='' plane_in=''

start_plane() {
  local line=''
  coproc PLANE { exec "$(dirname "${BASH_SOURCE[0]}")/controlplane.sh" run "$1/controlplane"; }
  # Bash forgets these when the coprocess ends. It closes them in whatever it starts, so ours is the only open end.
  # shellcheck disable=SC2153 # coproc sets PLANE_PID
  plane_pid=$PLANE_PID plane_in=${PLANE[1]}
  read -r line <&"${PLANE[0]}" || true
  [[ $line == ready* ]] || return
  export KUBECONFIG=$1/controlplane/kubeconfig KUBECACHEDIR=$1/cache
}

stop_plane() {
  if [[ -n $plane_in ]]; then eval "exec $plane_in>&-"; fi 2>/dev/null # its end of input is its sign to stop
  if [[ -n $plane_pid ]]; then wait "$plane_pid" 2>/dev/null || true; fi
  plane_pid='' plane_in=''
}
