#!/usr/bin/env bash
# Trained on pseudo-deepfakes of LFW alone, tested on genuine deepfakes of DFDC; beside them the floor (file size) and a
# supervised baseline on half of DFDC, split by original; then anomaly scores of pairs. What it showed: docs/results.md.
#
#   experiments/lfw_to_dfdc.sh DATA OUT          small: EfficientNet-Lite0, 128 px; about an hour on two CPU cores
#   experiments/lfw_to_dfdc.sh DATA OUT full     the paper's encoder and size: EfficientNet-B4, 224 px, SAM; one GPU
#
# DATA holds lfw/IDENTITY/*.jpg, dfdc_faces/manifest.csv with images/, and clips/.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
data=$1 out=$2 size=${3:-small}
case $size in
  small)
    pseudo=(--config "$here/../configs/difffake-small.yaml" --trainer.max_epochs 12)
    supervised=(--config "$here/../configs/supervised-small.yaml")
    ;;
  full)
    pseudo=(--config "$here/../configs/difffake.yaml")
    supervised=(--config "$here/../configs/difffake.yaml" --data.fakes manifest --trainer.max_epochs 20)
    ;;
  *) echo "size must be small or full" >&2; exit 2 ;;
esac
# Photographs of the press are sharper than frames of compressed video.
degraded=(--data.augment.downscale 0.5 --data.augment.jpeg 0.7 --data.augment.jpeg_quality '[30, 95]')

difffake prepare --reader folder --root "$data/lfw" --out "$out/lfw" --split 0.8 0.1 0.1
difffake prepare --reader table --root "$data/dfdc_faces" --out "$out/dfdc_faces" --split 0.4 0.1 0.5
difffake prepare --reader videos --root "$data/clips" --out "$out/clips" --split 0 0 1

difffake fit "${pseudo[@]}" "${degraded[@]}" --data.manifest "$out/lfw" --out "$out/pseudo"
difffake evaluate --ckpt "$out/pseudo/best.ckpt" --manifest "$out/dfdc_faces" --split all --out "$out/pseudo-dfdc-all"
difffake evaluate --ckpt "$out/pseudo/best.ckpt" --manifest "$out/dfdc_faces" --out "$out/pseudo-dfdc-test"

difffake fit "${supervised[@]}" --data.manifest "$out/dfdc_faces" --out "$out/supervised"
difffake evaluate --ckpt "$out/supervised/best.ckpt" --manifest "$out/dfdc_faces" --out "$out/supervised-dfdc-test"

python "$here/size_floor.py" --root "$data/dfdc_faces" --manifest "$out/dfdc_faces"
python "$here/anomaly_pairs.py" --ckpt "$out/pseudo/best.ckpt" --train "$out/lfw" --test "$out/lfw" "$out/clips"
