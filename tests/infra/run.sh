#!/usr/bin/env bash
# All tests of tf/: layout, native tests, checkov, and the AWS example applied to a simulated AWS. Arguments go to pytest.
# TF_PLUGIN_MIRROR: folder of Terraform providers (default: the usual places, else Terraform's registry). HILUM_REQUIRE_REAL=1:
# what can't run fails instead of being skipped.
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=${HILUM_INFRA_VENV:-.cache/infra}

# checkov and moto pin packages that the services have newer, hence an environment of their own; made again when the lock changes.
if ! cmp -s requirements/infra.txt "$venv/installed.txt"; then
  echo "Installing requirements/infra.txt into $venv"
  "${PYTHON:-python3}" -m venv "$venv"
  "$venv/bin/python" -m pip --disable-pip-version-check install --quiet --progress-bar off -r requirements/infra.txt
  cp requirements/infra.txt "$venv/installed.txt"
fi
tests() { "$venv/bin/python" -m pytest -c tests/infra/pytest.ini "$@"; }
[ $# = 0 ] || { tests tests/infra "$@"; exit; }

# The simulated AWS is nearly all waiting for its provider, the rest is work: beside one another.
said=$(mktemp)
tests tests/infra/test_simulated_aws.py > "$said" 2>&1 &
simulated=$!
trap 'kill $simulated 2> /dev/null || true; rm -f "$said"' EXIT
status=0
tests tests/infra --ignore=tests/infra/test_simulated_aws.py || status=$?
wait $simulated || status=$?
cat "$said"
exit $status
