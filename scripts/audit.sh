#!/usr/bin/env bash
# Looks up known vulnerabilities of every pinned package: scripts/audit.sh FOLDER
# FOLDER is where the auditor is installed, apart from the program. OSV is asked, a service for
# advisories, rather than the package index, which a mirror may answer without knowing any. A
# machine that cannot reach it is told so and nothing fails; a vulnerability does.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:?"the folder for the auditor"}
service=https://api.osv.dev/v1/vulns/OSV-2020-111
auditor="pip-audit==2.10.1"

skip() {
  echo "SKIP the audit of dependencies: $1"
  exit 0
}

curl --fail --silent --location --max-time 10 --output /dev/null "$service" \
  || skip "$service cannot be reached from here"
if [ ! -x "$folder/bin/pip-audit" ]; then
  "${PYTHON:-python3}" -m venv "$folder"
  "$folder/bin/pip" install --quiet --disable-pip-version-check "$auditor" \
    || skip "$auditor cannot be installed"
fi
exec "$folder/bin/pip-audit" --vulnerability-service osv --no-deps --disable-pip \
  --progress-spinner off --requirement constraints.txt
