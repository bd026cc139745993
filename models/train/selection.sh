#!/bin/sh
# What selection does: training on as many lists chosen at random, by instruction-following difficulty, and as the paper distills
# them. It goes on from what `recipe.sh WORK reasons` left, with two models in ONNX form: JUDGE of WORK/reasons (made by ship.py, then by
# models/language/make.py --adapter) and WEAK, as it is published:
#   JUDGE=FOLDER sh models/train/selection.sh WORK
# gives the adapters WORK/select-random, WORK/select-ifd and WORK/select-gap, from 200 of 500 popularity-matched lists each.
set -eu
WORK=${1:?name the folder of recipe.sh}
RECMIRROR=${RECMIRROR:-target/release/recmirror}
PYTHON=${PYTHON:-.recmirror/tune/bin/python}
JUDGE=${JUDGE:?name the folder of the model that was trained to write reasons}
WEAK=${WEAK:-models/lm-base}
HERE=$(dirname "$0")
PROMPTS=$HERE/../lm-adapter/prompts.toml
P=$WORK/select
others=$(for kind in matched anchored mixed; do echo "$WORK/$kind"; done)

if [ ! -d "$P" ]; then
  mkdir -p "$P.partial/datasets"
  cp -r "$WORK/matched/raws" "$P.partial/raws"
  head -500 "$WORK/matched/datasets/ml-100k_train.jsonl" > "$P.partial/datasets/ml-100k_train.jsonl"
  cp "$WORK/matched/datasets/ml-100k_eval.jsonl" "$P.partial/datasets/"
  mv "$P.partial" "$P"
fi
of="--project $P --datasets ml-100k --quiet --prompts $PROMPTS"
for strength in strong weak; do
  # shellcheck disable=SC2086
  "$PYTHON" "$HERE/reasons.py" --project "$P" $others --name ml-100k --vectors "$WORK/taught/vectors.npz" --kinds genres \
    --strength $strength --decisions 3 --out "$P/$strength.jsonl"
  # shellcheck disable=SC2086
  "$RECMIRROR" decide $of --strength $strength --decisions 3 --model co-occurrence --batch-in "$P/$strength.jsonl"
done
# shellcheck disable=SC2086
"$RECMIRROR" judge $of --strength strong --local "$JUDGE"
# shellcheck disable=SC2086
"$RECMIRROR" judge $of --strength weak --local "$WEAK"
# shellcheck disable=SC2086
"$RECMIRROR" judge $of --ifd --local "$JUDGE"
for rank in random ifd gap; do
  # shellcheck disable=SC2086
  "$RECMIRROR" distill $of --rank $rank --keep 200 --name $rank
  "$PYTHON" "$HERE/selected.py" --pairs "$P/datasets/${rank}_pref.jsonl" --scenes "$P/datasets/ml-100k_train.jsonl" \
    --out "$P/$rank.scenes.jsonl"
  "$RECMIRROR" export --quiet --project "$P" --task choice --scenes "$P/$rank.scenes.jsonl" --prompts "$PROMPTS" \
    --out "$P/$rank.jsonl"
  [ -d "$WORK/select-$rank/adapter" ] || "$PYTHON" "$HERE/sft.py" --base "$WORK/base" --adapter "$WORK/letters/adapter" \
    --train "$P/$rank.jsonl" --settings "$HERE/configs/selection-2cores.toml" --out "$WORK/select-$rank"
done
