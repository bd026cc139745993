#!/bin/sh
# What selection does: training on as many lists chosen at random, by instruction-following difficulty, and as the paper distills
# them. It goes on from what `recipe.sh WORK reasons` left, with two models in ONNX form: JUDGE of WORK/reasons (made by ship.py, then by
# models/language/make.py --adapter) and WEAK, as it is published:
#   JUDGE=FOLDER sh models/train/selection.sh WORK NAME       (NAME: the data set)
# gives the adapters WORK/select-random, WORK/select-ifd and WORK/select-gap, from 200 of 500 popularity-matched lists each.
set -eu
WORK=${1:?name the folder of recipe.sh}
NAME=${2:?name the data set}
RECMIRROR=${RECMIRROR:-target/release/recmirror}
PYTHON=${PYTHON:-.recmirror/tune/bin/python}
JUDGE=${JUDGE:?name the folder of the model that was trained to write reasons}
WEAK=${WEAK:-models/lm-base}
HERE=$(dirname "$0")
PROMPTS=${PROMPTS:-$HERE/../lm-adapter/prompts.toml}
KINDS=${KINDS:-genres}
P=$WORK/select
others=$(for kind in matched anchored mixed; do echo "$WORK/$NAME/$kind"; done)

if [ ! -d "$P" ]; then
  mkdir -p "$P.partial/datasets"
  cp -r "$WORK/$NAME/matched/raws" "$P.partial/raws"
  head -500 "$WORK/$NAME/matched/datasets/${NAME}_train.jsonl" > "$P.partial/datasets/${NAME}_train.jsonl"
  cp "$WORK/$NAME/matched/datasets/${NAME}_eval.jsonl" "$P.partial/datasets/"
  mv "$P.partial" "$P"
fi
of="--project $P --datasets $NAME --quiet --prompts $PROMPTS"
for strength in strong weak; do
  # shellcheck disable=SC2086
  "$PYTHON" "$HERE/reasons.py" --project "$P" $others --name "$NAME" --vectors "$WORK/$NAME/taught/vectors.npz" --kinds "$KINDS" \
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
  "$PYTHON" "$HERE/selected.py" --pairs "$P/datasets/${rank}_pref.jsonl" --scenes "$P/datasets/${NAME}_train.jsonl" \
    --out "$P/$rank.scenes.jsonl"
  "$RECMIRROR" export --quiet --project "$P" --task choice --scenes "$P/$rank.scenes.jsonl" --prompts "$PROMPTS" \
    --out "$P/$rank.jsonl"
  [ -d "$WORK/select-$rank/adapter" ] || "$PYTHON" "$HERE/sft.py" --base "$WORK/base" --adapter "$WORK/letters/adapter" \
    --train "$P/$rank.jsonl" --settings "$HERE/configs/selection-2cores.toml" --out "$WORK/select-$rank"
done
