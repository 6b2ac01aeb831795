#!/usr/bin/env bash
# Rewrite the hashed lock files from pyproject.toml and requirements/*.in. They name no index.
set -euo pipefail
cd "$(dirname "$0")/.."
compile() {
  .venv/bin/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-header \
    --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-annotate "$@"
}
compile --output-file requirements/runtime.txt pyproject.toml
compile --constraint requirements/runtime.txt --output-file requirements/build.txt requirements/build.in
compile --constraint requirements/runtime.txt --constraint requirements/build.txt \
  --output-file requirements/dev.txt requirements/dev.in
# Other projects' clients, each for an environment of its own (tests/lib/client_venvs.py).
for wanted in requirements/clients/*.in; do
  compile --output-file "${wanted%.in}.txt" "$wanted"
done
