# shellcheck shell=sh disable=SC2154
# After the stages of recipe.sh, which reads this file: preferences among the letters of 100 lists of each data set in all rotations.
for set in $sets; do
  name=${set%%=*}
  [ -f "$WORK/$name/rotated.jsonl" ] && continue
  "$RECMIRROR" export --quiet --project "$WORK/$name/matched" --task choice --rotations --name "$name" \
    --prompts "$PROMPTS" --out "$WORK/$name/rotated-all.jsonl"
  head -n 500 "$WORK/$name/rotated-all.jsonl" > "$WORK/$name/rotated.jsonl"
done
# shellcheck disable=SC2046
[ -d "$WORK/dpo/adapter" ] || "$PYTHON" "$HERE/dpo.py" --base "$WORK/base" --adapter "$WORK/sft/adapter" \
  --train $(for part in $parts; do echo "$part/rotated.jsonl"; done) --settings "$CONFIGS/dpo-2cores.toml" --out "$WORK/dpo"
