#!/usr/bin/env bash
# Install Debian's packages that only the tests need: a browser and two more voices.
set -euo pipefail
packages=()
command -v chromium >/dev/null || packages+=(chromium)
command -v flite >/dev/null || packages+=(flite)
fc-list 2>/dev/null | grep -qi dejavu || packages+=(fonts-dejavu-core fontconfig)
[ ${#packages[@]} -eq 0 ] && exit 0
sudo=""
[ "$(id -u)" -eq 0 ] || sudo="sudo"
echo "· Debian packages for the tests: ${packages[*]}"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
$sudo apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
