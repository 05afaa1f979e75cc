#!/bin/bash
# Everything worthwhile in 30 minutes of one GPU, in this order, each with a time limit:
#   step      a training step with the guide at the size of Stable Diffusion 1.5 against a straightforward one: time, share
#             of the GPU's bf16 peak, memory (random weights, which serve for speed)            at most 10 minutes
#   memory    what activation checkpointing and gradient accumulation save                       at most 4 minutes
#   loader    images per second of the data loader with all cores                                at most 3 minutes
#   training  a detector trained on pseudo-deepfakes of TRAIN, tested on TEST                    at most 12 minutes
#
#   experiments/full/gpu.sh --train data/ffpp --test data/celeb-df --out gpu
#   experiments/full/gpu.sh --train data/ffpp --test data/celeb-df --out gpu --dry-run      # prints and checks the commands
#   experiments/full/gpu.sh --train demo-drawn/data/drawn-a --test demo-drawn/data/drawn-b --out cpu --small     # a try on a CPU
#
# TRAIN and TEST are folders of `difffake prepare`. --encoder and --weights choose the detector (default: EfficientNet-B4
# with AdvProp weights, which are downloaded; offline: --encoder tf_efficientnet_lite0 --weights package:efficientnet-lite0).
# --steps "loader training" does only these. A step that fails or takes too long does not end the others; the exit status is
# 1 then. Each step's output goes to OUT/STEP.log, and the benchmarks' last lines, in JSON, to OUT/summary.txt.
set -u
cd "$(dirname "$0")/../.." || exit 1
train="" test="" out=gpu dry="" small="" steps="step memory loader training"
encoder=tf_efficientnet_b4.ap_in1k weights=timm
while [ $# -gt 0 ]; do
  case $1 in
    --train) train=$2; shift ;;
    --test) test=$2; shift ;;
    --out) out=$2; shift ;;
    --encoder) encoder=$2; shift ;;
    --weights) weights=$2; shift ;;
    --steps) steps=$2; shift ;;
    --dry-run) dry=1 ;;
    --small) small=1 ;;
    *) echo "gpu.sh: $1 is not an option: see the first lines of $0" >&2; exit 2 ;;
  esac
  shift
done
[ -n "$train" ] && [ -n "$test" ] || { echo "gpu.sh: give --train and --test, folders of difffake prepare" >&2; exit 2; }
for folder in $train $test; do
  [ -e "$folder/manifest.parquet" ] || { echo "gpu.sh: $folder has no manifest.parquet: run difffake prepare" >&2; exit 1; }
done

python=${PYTHON:-python}
if [ "$small" ]; then
  step=(--model tiny --encoder resnet10t --image-size 64 --batch 2 --repeats 1 --device cpu --precision float32)
  memory=("${step[@]}")
  loader=(--image-size 64 --crops 8 --repeats 1 --workers 1 --seconds 1)
  fit=(--model.encoder resnet10t --model.weights none --model.image_size 64 --data.batch_size 4 --data.workers 0
    --trainer.accelerator cpu --trainer.precision 32-true --trainer.max_epochs 1 --trainer.limit_train_batches 2)
else
  cores=$(nproc)
  step=(--model sd --encoder tf_efficientnet_b4 --image-size 224 --batch 32 --device cuda --repeats 5)
  memory=(--model sd --encoder tf_efficientnet_b4 --image-size 224 --batch 32 --device cuda --repeats 3)
  loader=(--image-size 224 --workers "$cores" --seconds 30)
  # max_time ends the training early enough for the evaluation; the rate then has not fallen to 0.
  fit=(--model.encoder "$encoder" --model.weights "$weights" --data.workers "$cores" --trainer.accelerator gpu
    --trainer.devices 1 --trainer.precision bf16-mixed --trainer.max_epochs 20 --trainer.max_time 00:00:09:00)
fi

failed=0
run() {  # NAME SECONDS COMMAND...: run a command with a limit, its output to a file and the terminal
  local name=$1 limit=$2; shift 2
  echo "== $name: $*"
  [ "$dry" ] && return
  local start=$SECONDS
  timeout --kill-after 20 "$limit" "$@" 2>&1 | tee -a "$out/$name.log"
  local status=${PIPESTATUS[0]}
  if [ "$status" -ne 0 ]; then
    failed=1
    echo "$name failed with status $status (124: it took longer than $limit s)" | tee -a "$out/summary.txt"
  fi
  echo "$name: $((SECONDS - start)) s; $(tail -n 1 "$out/$name.log")" >> "$out/summary.txt"
}

if [ ! "$dry" ]; then
  [ -e "$out" ] && { echo "gpu.sh: $out exists: choose another --out" >&2; exit 1; }
  mkdir -p "$out"
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader >> "$out/summary.txt" 2> /dev/null
fi
for name in $steps; do
  case $name in
    step) run step 600 "$python" benchmarks/guide_step.py "${step[@]}" ;;
    memory) run memory 240 "$python" benchmarks/memory_switches.py "${memory[@]}" ;;
    loader) run loader 180 "$python" benchmarks/dataloader.py "$train" "${loader[@]}" ;;
    training)
      run training 600 "$python" -m difffake fit --config configs/difffake.yaml --data.manifest "$train" \
        --out "$out/run" "${fit[@]}"
      run training 120 "$python" -m difffake evaluate --ckpt "$out/run" --manifest "$test" --out "$out/results" ;;
    *) echo "gpu.sh: there is no step $name: step, memory, loader, training" >&2; exit 2 ;;
  esac
done
[ "$dry" ] || cat "$out/summary.txt"
exit $failed
