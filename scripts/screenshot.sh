#!/usr/bin/env bash
# Makes docs/report.png, the picture in the README, from runs/movielens/report.html. Needs Chromium.
# Usage: scripts/screenshot.sh [REPORT.html] [OUT.png] [WIDTH,HEIGHT]
set -euo pipefail
cd "$(dirname "$0")/.."
report=$(realpath "${1:-runs/movielens/report.html}")
out=${2:-docs/report.png}
size=${3:-1000,1900}
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || {
    echo "error: no Chromium found; install it, or open $report in a browser" >&2
    exit 2
}
profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT
log=$profile/log
"$browser" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
    --disable-component-update --disable-sync --hide-scrollbars --user-data-dir="$profile" --enable-logging=stderr \
    --screenshot="$out" --window-size="$size" "file://$report" 2>"$log"
if grep -q 'CONSOLE' "$log"; then
    grep 'CONSOLE' "$log" >&2
    echo "error: the report writes to the browser's console" >&2
    exit 3
fi
echo "$out"
