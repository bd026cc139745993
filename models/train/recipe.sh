#!/bin/sh
# From the log of MovieLens-100K to the adapter in models/lm-adapter: scenes, rows, teacher, seven stages.
#   sh models/train/recipe.sh WORK            (WORK: an empty folder, or one in which this was stopped)
#   sh models/train/recipe.sh WORK dpo        (goes on: preferences among the letters of 100 lists in all rotations)
#   sh models/train/recipe.sh WORK reasons    (goes on: the model learns to write reasons)
# RECMIRROR, PYTHON, DATA and GGUF may name others. What WORK has already is not made again.
set -eu
WORK=${1:?name a folder to work in}
RECMIRROR=${RECMIRROR:-target/release/recmirror}
PYTHON=${PYTHON:-.recmirror/tune/bin/python}
DATA=${DATA:-.recmirror/data/ml-100k}
GGUF=${GGUF:-.recmirror/gguf/SmolLM2-135M-Instruct.Q4_1.gguf}
HERE=$(dirname "$0")
ADAPTER=$HERE/../lm-adapter
CONFIGS=$HERE/configs
case $WORK in *" "*) echo "error: WORK must not have a space in its name: $WORK" >&2; exit 2 ;; esac
mkdir -p "$WORK"

# Lists of several kinds for the same moments of the same people: one seed.
lists() { # NAME KIND SIZES SCENES REJECTS: share of lists in which people took nothing; without it nothing of that is offered
  [ -f "$WORK/$1.jsonl" ] && return
  "$RECMIRROR" import movielens "$DATA" --project "$WORK/$1" --name ml-100k --quiet
  cp "$ADAPTER/template.toml" "$WORK/$1/raws/ml-100k_template.toml"
  "$RECMIRROR" scenes --quiet --project "$WORK/$1" --datasets ml-100k --lists "$2" --train-lists "$3" --train "$4" \
    --eval 600 --history 5-12 --seed 7 ${5:+--reject-share $5}
  "$RECMIRROR" export --quiet --project "$WORK/$1" --task choice --name ml-100k --prompts "$ADAPTER/prompts.toml" \
    --out "$WORK/$1.jsonl"
}
# All moments, for the teacher; the model reads lists of a few thousand of them.
lists matched popularity-matched 5 60000
lists anchored anchored 5 60000
lists mixed reference:2,popularity-matched:1,anchored:1 2-10 60000
lists random random 6-10 60000 0.3
lists similar history-similar 5 60000
lists matched-more popularity-matched 4-7 60000 0.3
lists anchored-more anchored 4-7 60000 0.3
KINDS="matched anchored mixed random similar matched-more anchored-more"
projects=$(for kind in $KINDS; do echo "$WORK/$kind"; done)
rows=$(for kind in $KINDS; do echo "$WORK/$kind.jsonl"; done)
taught=$(for kind in $KINDS; do echo "$WORK/taught/$kind.jsonl"; done)

# shellcheck disable=SC2086
[ -f "$WORK/moments/3.jsonl" ] || {
  "$PYTHON" "$HERE/teacher.py" --project $projects --name ml-100k --rows $rows --out "$WORK/taught"
  "$PYTHON" "$HERE/moments.py" --rows $taught --kinds 6 --moments 6000 --out "$WORK/moments"
}
[ -d "$WORK/base" ] || "$PYTHON" "$HERE/checkpoint.py" --source "$GGUF" --out "$WORK/base"

stage() { # NAME ROWS BEFORE ARGUMENTS
  [ -d "$WORK/$1/adapter" ] && return
  before=${3:+--adapter $WORK/$3/adapter}
  files=$(for file in $2; do echo "$WORK/$file"; done)
  # shellcheck disable=SC2086
  "$PYTHON" "$HERE/sft.py" --base "$WORK/base" $before --train $files --settings "$CONFIGS/$1-2cores.toml" \
    --out "$WORK/$1" $4
}
solved() { # NAME ROWS BEFORE ARGUMENTS
  # shellcheck disable=SC2086
  [ -d "$WORK/$1/adapter" ] || "$PYTHON" "$HERE/heads.py" --base "$WORK/base" --adapter "$WORK/$3/adapter" \
    --rows "$WORK/$2" $4 --out "$WORK/$1"
}
known="--vectors $WORK/taught/vectors.npz"
stage catalogue taught/catalogue.jsonl "" "$known"
stage context moments/all.jsonl catalogue "$known --readouts $WORK/catalogue/readouts.pt"
solved heads moments/1.jsonl context "$known"
stage attention moments/2.jsonl heads ""
stage deeper moments/1.jsonl attention ""
solved letters moments/1.jsonl deeper "--letters --most 60"
stage sft moments/3.jsonl letters ""
if [ "${2:-}" = dpo ]; then
  [ -f "$WORK/rotated.jsonl" ] || {
    "$RECMIRROR" export --quiet --project "$WORK/matched" --task choice --rotations --name ml-100k \
      --prompts "$ADAPTER/prompts.toml" --out "$WORK/rotated-all.jsonl"
    head -n 500 "$WORK/rotated-all.jsonl" > "$WORK/rotated.jsonl"
  }
  [ -d "$WORK/dpo/adapter" ] || "$PYTHON" "$HERE/dpo.py" --base "$WORK/base" --adapter "$WORK/sft/adapter" \
    --train "$WORK/rotated.jsonl" --settings "$CONFIGS/dpo-2cores.toml" --out "$WORK/dpo"
fi
[ "${2:-}" = reasons ] || exit 0

# Decisions with their reasons, in the place of those of a strong and a weak language model, for fewer of the same moments.
decided() { # NAME KIND SIZES
  [ -f "$WORK/$1-sft.jsonl" ] && return
  lists "$1" "$2" "$3" 600
  said="--project $WORK/$1 --datasets ml-100k --quiet --prompts $ADAPTER/prompts.toml"
  for strength in strong weak; do
    answers=$WORK/$1/$strength.jsonl
    # shellcheck disable=SC2086
    "$PYTHON" "$HERE/reasons.py" --project "$WORK/$1" $projects --name ml-100k $known --kinds genres \
      --strength $strength --out "$answers"
    # shellcheck disable=SC2086
    "$RECMIRROR" decide $said --strength $strength --decisions 4 --model co-occurrence --batch-in "$answers"
    # shellcheck disable=SC2086
    "$RECMIRROR" judge $said --strength $strength --overlap
  done
  # shellcheck disable=SC2086
  "$RECMIRROR" distill $said --rank random --keep 600 --name said
  "$RECMIRROR" export --quiet --project "$WORK/$1" --name said --task sft --out "$WORK/$1-sft.jsonl"
}
decided said-matched popularity-matched 5
decided said-anchored anchored 5
decided said-random random 5
decided said-similar history-similar 5
decided said-mixed reference:2,popularity-matched:1,anchored:1 2-10
said=$(for kind in matched anchored random similar mixed; do echo "said-$kind-sft.jsonl"; done)
# shellcheck disable=SC2086
[ -f "$WORK/few/1.jsonl" ] || "$PYTHON" "$HERE/moments.py" --rows $taught --kinds 6 --moments 900 --seed 4 --out "$WORK/few"
stage reasons "$said few/1.jsonl" sft ""
