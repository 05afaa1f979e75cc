#!/usr/bin/env bash
# Cross-manipulation matrix on a forged testbed: a plain detector trained on the forgeries of one method, and one trained
# on pseudo-deepfakes alone, each tested on all methods. A testbed, not a benchmark. What it showed: docs/results.md.
#
#   experiments/cross_manipulation.sh DATA OUT         small: EfficientNet-Lite0, 96 px; half an hour on two idle CPU cores
#   experiments/cross_manipulation.sh DATA OUT full    EfficientNet-B4, 224 px; one GPU
#
# DATA holds lfw/IDENTITY/*.jpg. What is in OUT already is not made again.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
data=$1 out=$2 scale=${3:-small}
methods=(faceswap alpha_swap reenact mouth_texture)
case $scale in
  small)
    side=160
    plain=(--config "$here/../configs/supervised-small.yaml" --model.image_size 96 --trainer.max_epochs 2)
    pseudo=(--config "$here/../configs/difffake-small.yaml" --model.image_size 96 --trainer.max_epochs 5)
    ;;
  full)
    side=256
    plain=(--config "$here/../configs/difffake.yaml" --data.fakes manifest --trainer.max_epochs 20)
    pseudo=(--config "$here/../configs/difffake.yaml")
    ;;
  *) echo "scale must be small or full" >&2; exit 2 ;;
esac

[ -d "$out/lfw" ] || difffake prepare --reader folder --root "$data/lfw" --out "$out/lfw" --split 0.7 0.1 0.2
testbed=$out/forged-lfw
[ -d "$testbed" ] ||
  difffake forge --manifest "$out/lfw" --methods "$(IFS=,; echo "${methods[*]}")" --size $side --out "$testbed" --check

for method in pseudo "${methods[@]}"; do
  run=$out/$method
  if [ "$method" = pseudo ]; then options=("${pseudo[@]}"); else options=("${plain[@]}" --data.methods "[$method]"); fi
  [ -e "$run" ] || difffake fit "${options[@]}" --data.manifest "$testbed" --out "$run"
  [ -e "$out/$method-results" ] ||
    difffake evaluate --ckpt "$run/best.ckpt" --manifest "$testbed" --out "$out/$method-results"
done
python "$here/cross_table.py" "$out"/{faceswap,alpha_swap,reenact,mouth_texture,pseudo}-results
