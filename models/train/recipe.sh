#!/bin/sh
# From feedback logs to an adapter of a language model: scenes, rows, teacher, seven stages. One data set or several:
#   sh models/train/recipe.sh WORK NAME=PATH...           (WORK: an empty folder, or one in which this was stopped)
#   sh models/train/recipe.sh WORK NAME=PATH... lists     (ends with the lists: for data sets that are left out of training)
#   sh models/train/recipe.sh WORK NAME=PATH... dpo       (goes on: preferences among the letters of 100 lists in all rotations)
#   sh models/train/recipe.sh WORK NAME=PATH... reasons   (goes on: the model learns to write reasons)
# PATH is what `recmirror data` reads. PATH@20 keeps the items with at least 20 interactions. TEXTS/NAME.toml, if there is one, tells how
# rows become text; otherwise the form of the data set does. The choice of a stage's settings is that of the folder CONFIGS.
# RECMIRROR, PYTHON, GGUF, TEXTS, PROMPTS, CONFIGS, MOST (moments of a data set for the teacher), MOMENTS (for the model) and KINDS (for
# reasons: a key of items) may name others. What WORK has already is not made again.
set -eu
WORK=${1:?name a folder to work in}
shift
RECMIRROR=${RECMIRROR:-target/release/recmirror}
PYTHON=${PYTHON:-.recmirror/tune/bin/python}
GGUF=${GGUF:-.recmirror/gguf/SmolLM2-135M-Instruct.Q4_1.gguf}
HERE=$(dirname "$0")
TEXTS=${TEXTS:-$HERE/texts}
PROMPTS=${PROMPTS:-$HERE/../lm-adapter/prompts.toml}
CONFIGS=${CONFIGS:-$HERE/configs}
MOST=${MOST:-60000}
MOMENTS=${MOMENTS:-6000}
LISTS="matched anchored mixed random similar matched-more anchored-more"
goal="" sets="" parts=""
for argument in "$@"; do
  case $argument in
    *" "*) echo "error: names and paths must not have a space: $argument" >&2; exit 2 ;;
    *=*) sets="$sets $argument" parts="$parts $WORK/${argument%%=*}" ;;
    lists | dpo | reasons) goal=$argument ;;
    *) echo "error: $argument is neither NAME=PATH nor lists, dpo or reasons" >&2; exit 2 ;;
  esac
done
[ -n "$sets" ] || { echo "error: name a data set: NAME=PATH" >&2; exit 2; }
case $WORK in *" "*) echo "error: WORK must not have a space in its name: $WORK" >&2; exit 2 ;; esac
mkdir -p "$WORK"

imported() { # NAME PATH[@LEAST]
  [ -d "$WORK/$1/log" ] && return
  least=0 path=$2
  case $path in *@[0-9]*) least=${path##*@} path=${path%@*} ;; esac
  "$RECMIRROR" import auto "$path" --project "$WORK/$1/log.partial" --name "$1" --quiet --force
  [ ! -f "$TEXTS/$1.toml" ] || cp "$TEXTS/$1.toml" "$WORK/$1/log.partial/raws/$1_template.toml"
  "$PYTHON" "$HERE/frequent.py" --project "$WORK/$1/log.partial" --name "$1" --least "$least"
  mv "$WORK/$1/log.partial" "$WORK/$1/log"
}
# Lists of several kinds for the same moments of the same users: one seed.
lists() { # NAME LIST KIND SIZES SCENES REJECTS: share of lists in which users took nothing; without it nothing of that is offered
  at=$WORK/$1/$2
  [ -f "$at.jsonl" ] && return
  mkdir -p "$at"
  cp -r "$WORK/$1/log/raws" "$at/"
  "$RECMIRROR" scenes --quiet --project "$at" --datasets "$1" --lists "$3" --train-lists "$4" --train "$5" \
    --eval 600 --history 5-12 --seed 7 ${6:+--reject-share $6}
  "$RECMIRROR" export --quiet --project "$at" --task choice --name "$1" --prompts "$PROMPTS" --out "$at.jsonl"
}
projects() { for list in $LISTS; do echo "$WORK/$1/$list"; done; }
rows() { for list in $LISTS; do echo "$WORK/$1$2/$list.jsonl"; done; }

# All moments, for the teacher; the model reads lists of a few thousand of them.
listed() { # NAME
  lists "$1" matched popularity-matched 5 "$MOST"
  lists "$1" anchored anchored 5 "$MOST"
  lists "$1" mixed reference:2,popularity-matched:1,anchored:1 2-10 "$MOST"
  lists "$1" random random 6-10 "$MOST" 0.3
  lists "$1" similar history-similar 5 "$MOST"
  lists "$1" matched-more popularity-matched 4-7 "$MOST" 0.3
  lists "$1" anchored-more anchored 4-7 "$MOST" 0.3
}
taught() { # NAME
  [ -f "$WORK/$1/moments/3.jsonl" ] && return
  # shellcheck disable=SC2046
  "$PYTHON" "$HERE/teacher.py" --project $(projects "$1") --name "$1" --rows $(rows "$1" "") --out "$WORK/$1/taught"
  # shellcheck disable=SC2046
  "$PYTHON" "$HERE/moments.py" --rows $(rows "$1" /taught) --kinds 6 --moments "$MOMENTS" --out "$WORK/$1/moments"
}
for set in $sets; do
  imported "${set%%=*}" "${set#*=}"
  listed "${set%%=*}"
  [ "$goal" = lists ] || taught "${set%%=*}"
done
[ "$goal" != lists ] || exit 0
[ -d "$WORK/base" ] || "$PYTHON" "$HERE/checkpoint.py" --source "$GGUF" --out "$WORK/base"
# shellcheck disable=SC2086
[ -f "$WORK/moments/3.jsonl" ] || "$PYTHON" "$HERE/join.py" --parts $parts --base "$WORK/base" --out "$WORK"

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
last=attention
[ ! -f "$CONFIGS/deeper-2cores.toml" ] || { stage deeper moments/1.jsonl attention ""; last=deeper; }
solved letters moments/1.jsonl $last "--letters --most 60"
stage sft moments/3.jsonl letters ""
case $goal in
  dpo) . "$HERE/further/dpo.sh" ;;
  reasons) . "$HERE/further/reasons.sh" ;;
esac
