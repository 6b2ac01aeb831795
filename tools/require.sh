#!/usr/bin/env bash
# Check for the tools that the build needs; for a missing one, print the line that installs it and stop.
set -u
python=${1:-python3}
missing=0

need() { # name, test command, line that installs it
  if ! eval "$2" >/dev/null 2>&1; then
    printf 'Parley needs %s. Install it with:\n    %s\n' "$1" "$3" >&2
    missing=1
  fi
}

at_least() { # wanted, found: versions of up to three numbers
  [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

need "Python 3.11 or newer" "$python -c 'import sys; sys.exit(sys.version_info < (3, 11))'" \
  "sudo apt-get install -y python3"
need "Python's venv module" "$python -c 'import venv, ensurepip'" "sudo apt-get install -y python3-venv"
need "a C compiler" "command -v cc" "sudo apt-get install -y build-essential"
need "Rust 1.89 or newer" "at_least 1.89.0 \"\$(rustc --version | cut -d' ' -f2)\" && command -v cargo" \
  "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y && . \"\$HOME/.cargo/env\""
need "Node.js 20 or newer" "at_least 20.0.0 \"\$(node --version | tr -d v)\"" \
  "curl -fsSL https://deb.nodesource.com/setup_22.x | sudo -E bash - && sudo apt-get install -y nodejs"
need "npm" "command -v npm" "sudo apt-get install -y npm"
exit $missing
