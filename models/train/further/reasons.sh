# shellcheck shell=sh disable=SC2154
# After the stages of recipe.sh, which reads this file: decisions with their reasons, in the place of those of a strong and a weak
# language model, for fewer of the same moments. KINDS is the key of items that reasons name.
KINDS=${KINDS:-genres}
decided() { # NAME LIST KIND SIZES
  [ -f "$WORK/$1/$2-sft.jsonl" ] && return
  lists "$1" "$2" "$3" "$4" 600
  at=$WORK/$1/$2
  said="--project $at --datasets $1 --quiet --prompts $PROMPTS"
  for strength in strong weak; do
    # shellcheck disable=SC2046
    "$PYTHON" "$HERE/reasons.py" --project "$at" $(projects "$1") --name "$1" --vectors "$WORK/$1/taught/vectors.npz" \
      --kinds "$KINDS" --strength $strength --out "$at/$strength.jsonl"
    # shellcheck disable=SC2086
    "$RECMIRROR" decide $said --strength $strength --decisions 4 --model co-occurrence --batch-in "$at/$strength.jsonl"
    # shellcheck disable=SC2086
    "$RECMIRROR" judge $said --strength $strength --overlap
  done
  # shellcheck disable=SC2086
  "$RECMIRROR" distill $said --rank random --keep 600 --name said
  "$RECMIRROR" export --quiet --project "$at" --name said --task sft --out "$at-sft.jsonl"
}
files=""
for set in $sets; do
  name=${set%%=*}
  decided "$name" said-matched popularity-matched 5
  decided "$name" said-anchored anchored 5
  decided "$name" said-random random 5
  decided "$name" said-similar history-similar 5
  decided "$name" said-mixed reference:2,popularity-matched:1,anchored:1 2-10
  for list in matched anchored random similar mixed; do files="$files $name/said-$list-sft.jsonl"; done
  # shellcheck disable=SC2046
  [ -f "$WORK/$name/few/1.jsonl" ] || "$PYTHON" "$HERE/moments.py" --rows $(rows "$name" /taught) --kinds 6 --moments 900 --seed 4 \
    --out "$WORK/$name/few"
  files="$files $name/few/1.jsonl"
done
stage reasons "$files" sft ""
