#!/usr/bin/env bash
# Get the published V-Express weights and the small VAE that live presets decode with, 6.4 GB in
# all: scripts/download_models.sh [FOLDER]
# FOLDER is model_ckpts beside this repository's inference.py unless named. PYTHON chooses the
# interpreter; otherwise that of .venv is taken, if there is one.
set -euo pipefail
here=$(pwd)
cd "$(dirname "$0")/.."

python=${PYTHON:-}
if [ -z "$python" ]; then
  python=python3
  if [ -x .venv/bin/python ]; then python=.venv/bin/python; fi
fi

folder=${1:-}
if [ -z "$folder" ]; then
  folder=model_ckpts
elif [ "${folder#/}" = "$folder" ]; then
  folder=$here/$folder # named from where the caller stands
fi
exec "$python" -m engine.vexpress.weights fetch "$folder"
