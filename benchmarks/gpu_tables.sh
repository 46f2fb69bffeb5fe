#!/usr/bin/env bash
# Trains the tables named on one GPU, all at the same time, then scores and samples each: what a minute of a GPU is worth.
#
#     DIFFLM_DATA=... [MINUTES=4] [PRESET=thorough] [PYTHON=python3] benchmarks/gpu_tables.sh FOLDER [TABLE ...]
#
# FOLDER gets, for each table, its run, TABLE.log with the times, and TABLE.json with the scores.
set -euo pipefail
folder=$1; shift
tables=("$@"); [ $# -gt 0 ] || tables=(paper/adult paper/default paper/shoppers paper/magic paper/beijing)
python=${PYTHON:-python3}
mkdir -p "$folder"

one() {
    local name=${1##*/} run
    run=$folder/$name/run  # a folder of its own: trainings side by side wait for each other
    "$python" -m difflm fit "$1" --run "$run" --preset "${PRESET:-thorough}" --time-limit "${MINUTES:-4}" --seed 0
    echo "trained and drawn: $SECONDS s from the start"
    "$python" -m difflm evaluate --real "$run" --no-references --json "$folder/$name.json" --out "$folder/$name.html"
    echo "scored: $SECONDS s from the start"
    local before=$SECONDS
    "$python" -m difflm sample "$run" -n 50000 --out "$run/50000.parquet"
    echo "50,000 rows in $((SECONDS - before)) s, start included"
}

started=() failed=0
for table in "${tables[@]}"; do
    one "$table" > "$folder/${table##*/}.log" 2>&1 &
    started+=($!)
done
for process in "${started[@]}"; do
    wait "$process" || failed=1
done
grep -H -v "/50000 rows" "$folder"/*.log | sed "s|^$folder/||"
exit $failed
