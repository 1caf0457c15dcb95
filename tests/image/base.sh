#!/bin/bash
# base.sh NAME ENGINE: a stand-in for python:3.11-slim out of Debian's packages, where no registry can be reached.
# Debian's python3.11 under the names and the PATH of the official image. Needs root and debootstrap.
set -euo pipefail
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -1)
debootstrap --variant=minbase --include=ca-certificates,python3.11,python3.11-venv,python3-pip bookworm "$root" "$mirror" >/dev/null
for tool in python python3 python3.11; do ln -sf /usr/bin/python3.11 "$root/usr/local/bin/$tool"; done
ln -sf /usr/bin/pip3 "$root/usr/local/bin/pip"
rm -rf "$root"/usr/lib/python3.11/EXTERNALLY-MANAGED "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
tar -C "$root" -c . | "$2" import \
  --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' --change 'CMD ["python3"]' - "$1" >/dev/null
