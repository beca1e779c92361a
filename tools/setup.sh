#!/usr/bin/env bash
# The set-up that the Makefile asks for: `packages` makes .venv from the lock; `java` finds or installs Java and fetches
# Delta's jars; `browser` installs Chromium where it may. All may be run again.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '> %s\n' "$*" >&2; }
stop() { printf 'set-up: %s\n' "$*" >&2; exit 3; }
may_install() { [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; }

# Installs the first of these groups of packages that this system has.
apt_install() {
  local log packages
  log=$(mktemp)
  say "Installing $1 with apt-get"
  apt-get update > "$log" 2>&1 || true
  for packages in "$@"; do
    # shellcheck disable=SC2086 (a group is several words)
    if DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages >> "$log" 2>&1; then
      rm "$log"
      return
    fi
  done
  stop "apt-get could not install $1; its last words: $(tail -n 3 "$log") (all of them: $log)"
}

# Prints the first Python that will do: 3.11 to 3.13, able to make environments.
fit_python() {
  local python
  for python in "${PYTHON:-}" python3.11 python3.12 python3.13 python3 "$HOME"/.pyenv/versions/3.1[123].*/bin/python; do
    if [ -n "$python" ] && "$python" -c 'import ensurepip, sys, venv
sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2> /dev/null; then
      echo "$python"
      return
    fi
  done
}

packages() {
  local python
  python=$(fit_python)
  if [ -z "$python" ] && may_install; then
    apt_install "python3 python3-venv"
    python=$(fit_python)
  fi
  [ -n "$python" ] || stop "needs Python 3.11, 3.12 or 3.13 with venv; install one (Debian 12 or newer, Ubuntu 24.04:" \
    "apt-get install python3 python3-venv; elsewhere: pyenv install 3.11), or name one: make PYTHON=/path/to/python"
  say "Making .venv with $("$python" --version)"
  "$python" -m venv --clear .venv
  local install=(.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input)
  say "Installing the locked packages (once; a minute or two)"
  # What builds the packages comes from the lock as well, so that nothing unpinned runs here.
  awk '/^[a-z]/ {wanted = /^setuptools==/} wanted' requirements-dev.lock > .venv/setuptools.lock
  "${install[@]}" --require-hashes -r .venv/setuptools.lock
  "${install[@]}" --require-hashes --no-build-isolation --use-pep517 -r requirements-dev.lock
  "${install[@]}" --no-deps --no-build-isolation --editable .
  "${install[@]}" --no-deps --no-build-isolation --editable verifier
}

find_java() {
  .venv/bin/python -c 'import sys
from corpus.errors import CorpusError
from corpus.java import find_java
try:
    print(find_java())
except CorpusError as mistake:
    sys.exit(str(mistake))' 2>&1
}

java() {
  local found
  if ! found=$(find_java); then
    may_install || stop "$found"
    apt_install openjdk-17-jre-headless openjdk-21-jre-headless # Debian 13 has the latter alone
    found=$(find_java) || stop "$found"
  fi
  say "Java in $found; fetching Delta's jars (once; half a minute)"
  .venv/bin/python -c 'import sys
from pathlib import Path
from corpus.errors import CorpusError
from corpus.session import open_session
try:
    open_session("set-up", Path("conf/spark/local.conf"), {"spark.driver.memory": "1g"}).stop()
except CorpusError as mistake:
    sys.exit(f"set-up: {mistake}")'
}

# For the tests of pages, which are skipped without it: elsewhere, CHROMIUM and CHROMEDRIVER may name one.
browser() {
  { command -v chromium && command -v chromedriver; } > /dev/null && return
  may_install || { say "No Chromium with its driver here: the tests of pages will be skipped"; return; }
  (apt_install "chromium chromium-driver") || say "Without Chromium: the tests of pages will be skipped"
}

# PyPI's torch for Linux brings gigabytes for graphics cards; Debian's is for the processor alone.
readers() {
  if ! /usr/bin/python3 -c 'import torch, torchvision' 2> /dev/null; then
    may_install || stop "needs Debian 12 with its packages python3-torch and python3-torchvision"
    apt_install "python3-torch python3-torchvision"
  fi
  [ -x .venv-readers/bin/python ] || .venv/bin/uv venv --quiet --python /usr/bin/python3 --system-site-packages .venv-readers
  .venv/bin/uv pip install --quiet --no-deps --require-hashes --python .venv-readers -r tools/readers.lock
}

"$@"
