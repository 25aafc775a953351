#!/usr/bin/env bash
# The whole way, from one YAML file to a running export, on the embedded sandbox: `make demo`.
# Argument: the folder of the kxrecon command. Works in a temporary folder and leaves nothing behind.
set -euo pipefail
bin=$1
specs=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../specs" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cp -R "$specs" specs
PATH=$bin:$PATH

say() { printf '\n\033[1m# %s\033[0m\n' "$*"; }
show() { # the command as one would type it
  local word line=
  for word; do case $word in *[!A-Za-z0-9_./:=-]*) line+=" '$word'" ;; *) line+=" $word" ;; esac; done
  printf '\033[2m$%s\033[0m\n' "$line"
}
run() { show "$@"; "$@"; }
quietly() { show "$@"; "$@" >/dev/null; }
exits() { # exits CODE COMMAND…: the command must end with this code
  local expected=$1 code=0; shift
  run "$@" || code=$?
  printf '\033[2m(exit code %s)\033[0m\n' "$code"
  [ "$code" = "$expected" ] || { echo "expected exit code $expected" >&2; exit 1; }
}

say "This is the whole spec: one continuous export, running as the cluster's own identity."
run cat specs/quickstart.yaml

say "1. Is it right? Offline, no account needed."
run kxrecon validate specs/quickstart.yaml

say "2. What would change? The cluster is bare: besides what the spec says, the export needs an identity,"
say "   its policy, a role on the database and one on the container. kxrecon derives them and says why."
run kxrecon plan specs/quickstart.yaml --sandbox

say "3. Do it: in order, as concurrently as the order allows. What was shown is what runs."
run kxrecon apply --sandbox --yes

say "4. Once more: nothing is left to do. (The service masks connection strings, so it says what it cannot compare.)"
exits 0 kxrecon plan specs/quickstart.yaml --sandbox --detailed-exitcode

say "5. Somebody takes the identity's role on the database away, by hand."
identity=$(kxrecon sandbox kql --json --database Telemetry '.show database Telemetry principals' |
  "$bin/python" -c 'import json, sys; print(next(row["PrincipalFQN"] for row in json.load(sys.stdin) if "Viewer" in row["Role"]))')
quietly kxrecon sandbox kql --database Telemetry ".drop database Telemetry viewers (\"$identity\")"

say "6. The check that a schedule runs every hour notices, and says which export needs it (exit code 2)."
exits 2 kxrecon drift specs/quickstart.yaml --sandbox

say "7. Repair it: only what differs is sent."
run kxrecon apply specs/quickstart.yaml --sandbox --yes

say "8. Three records arrive …"
quietly kxrecon sandbox kql --database Telemetry '.ingest inline into table Events <|
2026-11-24T10:00:00Z,Info,first
2026-11-24T10:00:01Z,Error,second
2026-11-24T10:00:02Z,Info,third'

say "9. … ten minutes pass, and the export runs. The sandbox checks every link of the chain, as ADX would."
run kxrecon sandbox tick --advance 10m

say "10. What it wrote."
run kxrecon sandbox kql --database Telemetry '.show continuous-export ArchiveEvents exported-artifacts'
file=$(find .kxrecon -name '*.parquet')
quietly ls "$file"
"$bin/python" -c 'import duckdb, sys; print(duckdb.read_parquet(sys.argv[1]))' "$file"

say "Done. The same commands without --sandbox work on your cluster; README.md goes on from here."
