#!/bin/sh
# credentials.sh FOLDER KIND:NAME:SHARD ...: makes each credential whose file FOLDER/KIND-NAME is missing.
# A file that was lost is made anew, and what it held is revoked.
set -eu
umask 077
folder=$1
shift
for wanted in "$@"; do
  kind=${wanted%%:*}
  rest=${wanted#*:}
  file=$folder/$kind-${rest%%:*}
  if [ -s "$file" ]; then continue; fi
  natter credential create --kind "$kind" --name "${rest%%:*}" --shard "${rest#*:}" --replace > "$file.new"
  mv "$file.new" "$file"
  echo "made $file"
done
