#!/usr/bin/env bash
# Install Debian's packages that only the tests need: two browsers and two more voices.
set -euo pipefail
packages=()
command -v chromium >/dev/null || packages+=(chromium)
command -v firefox-esr >/dev/null || packages+=(firefox-esr)
command -v flite >/dev/null || packages+=(flite)
fc-list 2>/dev/null | grep -qi dejavu || packages+=(fonts-dejavu-core fontconfig)
# Their packages start servers, which only a machine of its own should have; elsewhere their test says that it skips.
if [ -n "${CI:-}" ]; then
  command -v nginx >/dev/null || packages+=(nginx-light)
  command -v caddy >/dev/null || packages+=(caddy)
  command -v turnserver >/dev/null || packages+=(coturn)
  # GStreamer as a foreign peer of calls: 144 MB that a developer's machine may do without.
  /usr/bin/python3 -c 'import gi; gi.require_version("GstWebRTC", "1.0")' 2>/dev/null ||
    packages+=(python3-gi gir1.2-gst-plugins-bad-1.0 gstreamer1.0-plugins-bad gstreamer1.0-plugins-base
      gstreamer1.0-plugins-good gstreamer1.0-nice)
fi
[ ${#packages[@]} -eq 0 ] && exit 0
sudo=""
[ "$(id -u)" -eq 0 ] || sudo="sudo"
echo "· Debian packages for the tests: ${packages[*]}"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
$sudo apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
