#!/usr/bin/env bash
# Looks up known vulnerabilities of every pinned package: scripts/audit.sh FOLDER
# FOLDER is where the auditor is installed, apart from the program. OSV is asked, a service for
# advisories, rather than the package index, which a mirror may answer without knowing any. A
# vulnerability fails; a service that cannot be reached, at first or halfway, is a check that was
# skipped, which is said and fails nothing. AUDITOR and SERVICE name others of each, for tests.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:?"the folder for the auditor"}
service=${SERVICE:-https://api.osv.dev/v1/vulns/OSV-2020-111}
pinned="pip-audit==2.10.1"

skip() {
  echo "SKIP the audit of dependencies: $1"
  exit 0
}

curl --fail --silent --location --max-time 10 --output /dev/null "$service" \
  || skip "service unreachable ($service)"
auditor=${AUDITOR:-$folder/bin/pip-audit}
if [ ! -x "$auditor" ]; then
  "${PYTHON:-python3}" -m venv "$folder"
  "$folder/bin/pip" install --quiet --disable-pip-version-check "$pinned" \
    || skip "$pinned cannot be installed"
fi
mkdir -p "$folder"
report=$folder/report.md complaints=$folder/complaints.txt
rm -f "$report"
if "$auditor" --vulnerability-service osv --no-deps --disable-pip --progress-spinner off \
  --format markdown --output "$report" --requirement constraints.txt 2> "$complaints"; then
  echo "No known vulnerability in what constraints.txt pins"
  exit 0
fi
cat "$complaints" >&2
# A report is written once every package was looked up; without one nothing was found out.
if [ -s "$report" ]; then
  cat "$report"
  exit 1
fi
# Messages count, not the indented lines of a traceback, which name files of a network library.
grep --extended-regexp --ignore-case --quiet "^\S.*(network|connect|timed out|HTTPError)" \
  "$complaints" \
  && skip "service unreachable halfway"
echo "The audit of dependencies broke down before it found anything out" >&2
exit 2
