#!/usr/bin/env bash
# What the regularisers do on a forged testbed: same encoder, data and steps, a row each. Trained on one method, tested on
# all of them and on something else. A testbed, not a benchmark. What it showed: docs/results.md.
#
#   experiments/ablation.sh guide DATA OUT         the guide and its parts: the rows of DiffusionFake's table 2
#   experiments/ablation.sh anl DATA OUT           noise learning: its losses, timesteps and sources of noise, and the guide;
#                                                  tested on methods drawn by a diffusion model instead of another data set
#   experiments/ablation.sh guide DATA OUT full    EfficientNet-B4, 224 px, Stable Diffusion 1.5; GPUs
#
# Small, the default: EfficientNet-Lite0, 64 px (anl: 112 px), a small diffusion model of LFW faces. DATA holds lfw/IDENTITY/*.jpg and
# dfdc_faces/. What is in OUT already is not made again; JOBS runs go side by side. SEEDS (0 1 2) and PARTS_SEEDS (0 1 2)
# say how often the main rows and the others are repeated.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
study=$1 data=$2 out=$3 scale=${4:-small}
export method=${METHOD:-faceswap} study out here
case $study in
  guide) main="plain all" parts="sd+filter sd+weight sd filter+weight none" ;;
  anl) main="plain noise attention anl all both" parts="t1 t200 t500 ddim_inversion injected" ;;
  *) echo "study must be guide or anl" >&2; exit 2 ;;
esac
case $scale in
  small)
    side=128 teacher=$out/lfw-faces
    options=(--config "$here/../configs/supervised-small.yaml" --data.workers 1)
    case $study in
      guide) options+=(--model.image_size 64 --trainer.max_epochs 6) ;;
      # Four by four features: two by two, as at 64 px, leave attention nothing to say.
      anl) options+=(--model.image_size 112 --trainer.max_epochs 2 --trainer.precision bf16-mixed) ;;
    esac
    ;;
  full)
    side=256 teacher=stable-diffusion-v1-5/stable-diffusion-v1-5
    options=(--config "$here/../configs/diffusionfake.yaml" --model.guide null)
    ;;
  *) echo "scale must be small or full" >&2; exit 2 ;;
esac
export teacher common="${options[*]}"

[ -d "$out/lfw" ] || difffake prepare --reader folder --root "$data/lfw" --out "$out/lfw" --split 0.7 0.1 0.2
[ -d "$out/forged-lfw" ] || difffake forge --manifest "$out/lfw" --methods faceswap,alpha_swap,reenact,mouth_texture \
  --size $side --out "$out/forged-lfw" --check
[ "$study" = anl ] || [ -d "$out/dfdc" ] || difffake prepare --reader table --root "$data/dfdc_faces" --out "$out/dfdc" --split 0 0 1
[ "$scale" = full ] || [ -d "$teacher" ] ||
  difffake pretrain-guide --manifest "$out/lfw" --out "$teacher" --vae-steps 2000 --unet-steps 2500
[ "$study" = guide ] || [ -d "$out/forged-diffusion" ] || difffake forge --manifest "$out/lfw" \
  --methods diffusion_swap,synthesis --diffusion "$teacher" --size $side --split test --out "$out/forged-diffusion" --check

run() {
  local row=$1 seed=$2
  local folder=$out/runs/$row-$seed guide=--model.guide. anl=--model.noise_learning.
  local -a rest=(--model.diffusion.name "$teacher")
  case $row in
    plain) rest=() ;;
    all) rest+=(${guide}feature_filter full ${guide}weight linear) ;;
    sd+filter) rest+=(${guide}feature_filter full ${guide}weight none) ;;
    sd+weight) rest+=(${guide}feature_filter none ${guide}weight linear) ;;
    sd) rest+=(${guide}feature_filter none ${guide}weight none) ;;
    filter+weight) rest+=(${guide}feature_filter full ${guide}weight linear --model.diffusion.pretrained false) ;;
    none) rest+=(${guide}feature_filter none ${guide}weight none --model.diffusion.pretrained false) ;;
    anl) rest+=("${anl}timesteps" "[50]") ;;
    noise) rest+=("${anl}timesteps" "[50]" ${anl}lambda_attention 0) ;;
    attention) rest+=("${anl}timesteps" "[50]" ${anl}lambda_noise 0) ;;
    both) rest+=("${anl}timesteps" "[50]" ${guide}weight linear) ;;
    t1 | t200 | t500) rest+=("${anl}timesteps" "[${row#t}]") ;;
    ddim_inversion | injected) rest+=("${anl}timesteps" "[50]" ${anl}noise_source "$row") ;;
  esac
  # Noise of each setting has a cache of its own; latents are shared.
  # shellcheck disable=SC2086  # several words
  [ -f "$folder/best.ckpt" ] || difffake fit $common "${rest[@]}" --seed_everything "$seed" --overwrite \
    --data.manifest "$out/forged-lfw" --data.methods "[$method]" --out "$folder" >"$folder.log" 2>&1
  local -a sets=(testbed:forged-lfw:test)
  if [ "$study" = guide ]; then sets+=(dfdc:dfdc:all); else sets+=(diffusion:forged-diffusion:test); fi
  for set in "${sets[@]}"; do
    IFS=: read -r name manifest split <<<"$set"
    [ -d "$folder-$name" ] || difffake evaluate --ckpt "$folder/best.ckpt" --manifest "$out/$manifest" --split "$split" \
      --out "$folder-$name" >"$folder-$name.log" 2>&1
  done
}
export -f run
mkdir -p "$out/runs"
{
  for seed in ${SEEDS:-0 1 2}; do for row in $main; do echo "$row" "$seed"; done; done
  for seed in ${PARTS_SEEDS:-0 1 2}; do for row in $parts; do echo "$row" "$seed"; done; done
} | xargs -P "${JOBS:-1}" -L 1 bash -c 'set -euo pipefail; run "$@"' _
python "$here/ablation_table.py" "$out/runs" --study "$study"
