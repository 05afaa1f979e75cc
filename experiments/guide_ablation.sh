#!/usr/bin/env bash
# The guide branch and its parts on a forged testbed: the rows of DiffusionFake's table 2, same encoder, data and steps.
# Trained on one method, tested on all of them and on another data set. A testbed, not a benchmark. What it showed:
# docs/results.md.
#
#   experiments/guide_ablation.sh DATA OUT         small: EfficientNet-Lite0, 64 px, a small diffusion model of LFW faces
#   experiments/guide_ablation.sh DATA OUT full    EfficientNet-B4, 224 px, Stable Diffusion 1.5; GPUs
#
# DATA holds lfw/IDENTITY/*.jpg and dfdc_faces/. What is in OUT already is not made again; JOBS runs go side by side.
# SEEDS (0 1 2) and PARTS_SEEDS (0 1 2) say how often the main comparison and the other rows are repeated.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
data=$1 out=$2 scale=${3:-small}
export method=${METHOD:-faceswap} out here
case $scale in
  small)
    side=128 teacher=$out/lfw-faces
    options=(--config "$here/../configs/supervised-small.yaml" --model.image_size 64 --trainer.max_epochs 6 --data.workers 1)
    ;;
  full)
    side=256 teacher=stable-diffusion-v1-5/stable-diffusion-v1-5
    options=(--config "$here/../configs/diffusionfake.yaml")
    ;;
  *) echo "scale must be small or full" >&2; exit 2 ;;
esac
export teacher common="${options[*]}"

[ -d "$out/lfw" ] || difffake prepare --reader folder --root "$data/lfw" --out "$out/lfw" --split 0.7 0.1 0.2
[ -d "$out/forged-lfw" ] || difffake forge --manifest "$out/lfw" --methods faceswap,alpha_swap,reenact,mouth_texture \
  --size $side --out "$out/forged-lfw" --check
[ -d "$out/dfdc" ] || difffake prepare --reader table --root "$data/dfdc_faces" --out "$out/dfdc" --split 0 0 1
[ "$scale" = full ] || [ -d "$teacher" ] ||
  difffake pretrain-guide --manifest "$out/lfw" --out "$teacher" --vae-steps 2000 --unet-steps 2500

run() {
  local row=$1 seed=$2 guide=()
  local folder=$out/runs/$row-$seed
  case $row in
    plain) guide=(--model.guide null) ;;
    all) guide=(--model.guide.feature_filter full --model.guide.weight linear) ;;
    sd+filter) guide=(--model.guide.feature_filter full --model.guide.weight none) ;;
    sd+weight) guide=(--model.guide.feature_filter none --model.guide.weight linear) ;;
    sd) guide=(--model.guide.feature_filter none --model.guide.weight none) ;;
    filter+weight)
      guide=(--model.guide.feature_filter full --model.guide.weight linear --model.diffusion.pretrained false) ;;
    none) guide=(--model.guide.feature_filter none --model.guide.weight none --model.diffusion.pretrained false) ;;
  esac
  guide+=(--model.diffusion.name "$teacher")
  # shellcheck disable=SC2086  # several words
  [ -f "$folder/best.ckpt" ] || difffake fit $common "${guide[@]}" --seed_everything "$seed" --overwrite \
    --data.manifest "$out/forged-lfw" --data.methods "[$method]" --out "$folder" >"$folder.log" 2>&1
  [ -d "$folder-testbed" ] || difffake evaluate --ckpt "$folder/best.ckpt" --manifest "$out/forged-lfw" \
    --out "$folder-testbed" >"$folder-testbed.log" 2>&1
  [ -d "$folder-dfdc" ] || difffake evaluate --ckpt "$folder/best.ckpt" --manifest "$out/dfdc" --split all \
    --out "$folder-dfdc" >"$folder-dfdc.log" 2>&1
}
export -f run
mkdir -p "$out/runs"
{
  for seed in ${SEEDS:-0 1 2}; do for row in plain all; do echo "$row" "$seed"; done; done
  for seed in ${PARTS_SEEDS:-0 1 2}; do
    for row in sd+filter sd+weight sd filter+weight none; do echo "$row" "$seed"; done
  done
} | xargs -P "${JOBS:-1}" -L 1 bash -c 'set -euo pipefail; run "$@"' _
python "$here/ablation_table.py" "$out/runs"
