# Installs an object store for tests, and names it in S3S_FS: to be sourced, in the folder of the whole. It brings tokio, so it is a
# program of its own and no dependency of anything here. Where one is installed already, S3S_FS names it.

if [ -z "${S3S_FS:-}" ]; then
    s3s_version=0.14.1
    s3s_place=${CARGO_TARGET_DIR:-$PWD/target}/s3s-fs-$s3s_version
    [ -x "$s3s_place/bin/s3s-fs" ] ||
        cargo install --quiet --locked --debug --root "$s3s_place" --version "$s3s_version" --features binary s3s-fs
    export S3S_FS=$s3s_place/bin/s3s-fs
fi
