#!/usr/bin/env bash
# Every test, cheapest answers first. A failing stage does not hide the later ones; the exit status counts them all.
set -u
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"
failed=()

stage() { # title, command…
  local title=$1 started=$SECONDS
  shift
  printf '\n=== %s\n' "$title"
  if "$@"; then
    printf -- '--- %s: passed in %s s\n' "$title" $((SECONDS - started))
  else
    printf -- '--- %s: FAILED after %s s\n' "$title" $((SECONDS - started))
    failed+=("$title")
  fi
}

stage "format and lint" bash -c "ruff format --check --quiet src tests tools benchmarks && ruff check --quiet src tests tools benchmarks"
stage "types" bash -c "mypy && npx --prefix web pyright --project pyproject.toml && npm run --silent --prefix web types"
stage "rust format and lint" bash -c "cargo fmt --check && cargo clippy --release --workspace --all-targets --quiet -- -D warnings"
stage "rust tests" cargo test --release --workspace --quiet
stage "pages' unit tests" npm test --silent --prefix web
stage "unit, runtime and server tests" python -m pytest -q -n auto --maxprocesses 8 tests/architecture tests/unit tests/golden tests/native tests/runtime tests/server tests/contracts
stage "speech" python -m pytest -q tests/speech --timeout=180
stage "official clients" python -m pytest -q -n auto --maxprocesses 4 --dist loadfile tests/conformance --timeout=180
stage "hundreds of listeners" python -m pytest -q tests/load --timeout=180
stage "the wheel on a bare machine" python -m pytest -q tests/package --timeout=900
stage "browser" python -m pytest -q tests/browser --timeout=300

if [ ${#failed[@]} -gt 0 ]; then
  printf '\n%s of the stages failed:\n' "${#failed[@]}"
  printf '  %s\n' "${failed[@]}"
  exit 1
fi
printf '\nEvery stage passed in %s s.\n' "$SECONDS"
