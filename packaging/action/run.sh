#!/usr/bin/env bash
# Runs upfault, for the action. Reads PROXY, FILTER, QUICK, ARGS and REPORT; writes annotations, the job summary and the outputs
# exit-code and reports. It succeeds whatever the run finds: a later step of the action exits with the code of the run.
set -euo pipefail

reports=$(mktemp -d "${RUNNER_TEMP:?}/upfault-reports-XXXXXX")
arguments=()
if [[ -n "$PROXY" ]]; then arguments+=(--proxy "$PROXY"); fi
if [[ -n "$FILTER" ]]; then arguments+=(--filter "$FILTER"); fi
case "$QUICK" in
    true) arguments+=(--quick) ;;
    false | "") ;;
    *)
        echo "::error::the input quick is \`$QUICK\`; write true or false"
        exit 2
        ;;
esac
for format in $REPORT; do
    case "$format" in
        html | json | sarif) name="upfault.$format" ;;
        json-full) name=upfault-full.json ;;
        junit) name=upfault.xml ;;
        gitlab) name=upfault-gitlab.json ;;
        badge) name=upfault.svg ;;
        badge-endpoint) name=upfault-badge.json ;;
        durations) name=upfault-durations.json ;;
        markdown) name=upfault.md ;;
        *)
            echo "::error::the input report names the unknown format \`$format\`"
            exit 2
            ;;
    esac
    arguments+=(--report "$format=$reports/$name")
done
# The words of ARGS are separated by spaces and line breaks; a shell does not expand their patterns.
read -r -a more <<<"${ARGS//[$'\r\n']/ }"
summary="$reports/summary.md"
annotations="$reports/annotations.txt"
# The run prints what gateways send and log. The runner must not read commands (`::NAME::`) in it, so they are off until it ends.
token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
code=0
echo "::stop-commands::$token"
upfault run ${arguments[@]+"${arguments[@]}"} --report "markdown=$summary" --report "github=$annotations" ${more[@]+"${more[@]}"} || code=$?
# The last line of the run may lack its line break.
echo
echo "::$token::"
if [[ -f "$annotations" ]]; then
    cat "$annotations"
    rm "$annotations"
fi
if [[ -f "$summary" ]]; then
    cat "$summary" >>"$GITHUB_STEP_SUMMARY"
    rm "$summary"
fi
{
    echo "exit-code=$code"
    echo "reports=$reports"
} >>"$GITHUB_OUTPUT"
