# shellcheck shell=bash disable=SC2034 # used by the scripts that source this
# The cluster's addresses, all from the range that is set aside for benchmarks (RFC 2544) and so conflicts with no real network.
cable=quayside-e2e # at most 15 characters
host_address=198.18.254.2
node_address=198.18.254.1
pod_range=198.18.0.0/24
service_range=198.19.0.0/24
api_service_address=198.19.0.1
