#!/bin/sh
# Starts both Jobs, prints the report, and exits with the exit code of the run. It needs kubectl.
set -eu
folder=$(dirname "$0")
# Waits until a Job has succeeded or failed.
finished() {
    until kubectl get job "$1" -o 'jsonpath={.status.conditions[*].type}' | grep -Eq 'Complete|Failed'; do
        sleep 5
    done
}
kubectl delete job upfault-shards upfault-merge --ignore-not-found --wait
kubectl apply -f "$folder/shards.yaml"
finished upfault-shards
kubectl apply -f "$folder/merge.yaml"
finished upfault-merge
kubectl logs job/upfault-merge
code=$(kubectl get pods -l batch.kubernetes.io/job-name=upfault-merge \
    -o 'jsonpath={.items[0].status.containerStatuses[0].state.terminated.exitCode}')
exit "$code"
