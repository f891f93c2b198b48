#!/bin/sh
# Installs the npm packages, and then the tools `for` which the first argument asks: run, test, or packages for none.
# Quiet, and done in a second, when nothing is missing.
set -eu
cd "$(dirname "$0")/.."
purpose=${1:-run}

refuse() {
  echo "setup: $1" >&2
  exit 64
}
command -v node >/dev/null || refuse 'Node is missing: install Node 18 or newer (https://nodejs.org), then try again.'
command -v npm >/dev/null || refuse 'npm is missing: install it (Debian: apt-get install npm), then try again.'
major=$(node -p 'process.versions.node.split(".")[0]')
[ "$major" -ge 18 ] || refuse "Node $(node -v) is too old: install Node 18 or newer, then try again."

if ! node scripts/npm-is-current.mjs; then
  echo 'started  npm ci (about half a minute)' >&2
  begin=$(date +%s)
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  if ! timeout 900 npm ci --no-audit --no-fund --loglevel=error >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    echo 'setup: npm ci failed; its last lines are above.' >&2
    exit 3
  fi
  if ! node scripts/npm-is-current.mjs; then
    tail -n 20 "$log" >&2
    echo 'setup: npm ci ended well, but node_modules does not hold what package-lock.json asks for.' >&2
    echo "setup: the npm package \`node\` fetches its binary in an install script: is ignore-scripts set?" >&2
    exit 3
  fi
  echo "done     npm ci ($(($(date +%s) - begin)) s)" >&2
fi

[ "$purpose" = packages ] || exec bin/faultline doctor --install --quiet --for "$purpose"
