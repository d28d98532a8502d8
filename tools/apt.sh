# Debian packages for the scripts of this repository. To be sourced by bash scripts.
#
#   apt_wait ARGUMENT...            apt-get, which waits while another apt is at work
#   apt_install PACKAGE...          installs packages (options may stand before them), saying so on standard error first

# How long another apt may hold a lock, in seconds.
APT_WAIT_S=${APT_WAIT_S:-600}

apt_wait() {
    local waited said
    for ((waited = 0; ; waited += 5)); do
        # There are three locks, and apt's own option to wait knows one of them.
        said=$(LC_ALL=C DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" 2>&1) && return
        if ((waited >= APT_WAIT_S)) || [[ $said != *"Could not get lock"* && $said != *"Unable to lock"* ]]; then
            printf '%s\n' "$said" >&2
            return 1
        fi
        ((waited)) || echo "waiting for another apt" >&2
        sleep 5
    done
}

apt_install() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "missing: $* (Debian packages); install them and run this again" >&2
        return 1
    fi
    echo "installing with apt: $*" >&2
    # Package lists may be old or absent on a fresh machine, so they are fetched if the first try fails.
    apt_wait install -y "$@" 2>/dev/null || { apt_wait update && apt_wait install -y "$@"; }
}
