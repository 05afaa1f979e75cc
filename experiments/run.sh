#!/usr/bin/env bash
# One run of a sweep: trains, fits the mixture and evaluates, in RUN_FOLDER (W&B's agent: sweeps/SWEEP/RUN).
#
#   TRAIN=data/forged-lfw TEST="data/forged-lfw data/dfdc" experiments/run.sh --config FILE --model.encoder=resnet34 \
#     --anomaly.components=1
#
# Options that begin with --anomaly. go to fit-anomaly (none given: no mixture), the others to fit. TRAIN and TEST are
# manifests, by default those of `difffake demo`. With CKPT nothing is trained: mixtures of that detector. What is done
# already is not done again, so a run can be repeated.
set -euo pipefail
train=${TRAIN:-demo/data/drawn-a} test=${TEST:-demo/data/drawn-a demo/data/drawn-b}
out=${RUN_FOLDER:-sweeps/${WANDB_SWEEP_ID:?RUN_FOLDER is not set}/${WANDB_RUN_ID:?}}
fit=() anomaly=() mixture=()
for option in "$@"; do
  case $option in
    --anomaly.*) anomaly+=("--${option#--anomaly.}") ;;
    *) fit+=("$option") ;;
  esac
done
[ -n "${CKPT:-}" ] || [ -f "$out/trained" ] ||
  difffake fit "${fit[@]}" --data.manifest "$train" --out "$out/fit" --resume
touch "$out/trained"
ckpt=${CKPT:-$out/fit/best.ckpt}
if [ ${#anomaly[@]} -gt 0 ]; then
  mixture=(--anomaly "$out/anomaly.safetensors")
  [ -f "${mixture[1]}" ] ||
    difffake fit-anomaly --ckpt "$ckpt" --manifest "$train" --out "${mixture[1]}" "${anomaly[@]}"
fi
# shellcheck disable=SC2086  # several manifests
[ -d "$out/evaluation" ] ||
  difffake evaluate --ckpt "$ckpt" --manifest $test "${mixture[@]}" --out "$out/evaluation"
