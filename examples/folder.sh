#!/bin/sh
# The command line: the same question about every picture of a folder, to lines of JSON. Broken off, it goes on where it was.
set -eu
server=${SIGHTLINE_SERVER:-http://127.0.0.1:8000}
pictures=$(dirname "$0")/pictures
results=$(mktemp -d)/results.jsonl

sightline run "$pictures"/*.png -q "What is in this picture?" -o "$results" --server "$server" --jobs 4
cat "$results"

# Once more: everything is answered already, nothing is asked.
sightline run "$pictures"/*.png -q "What is in this picture?" -o "$results" --server "$server" --json
