#!/bin/sh
# Writes the secrets of docker/compose.yaml, made at random, into docker/secrets/. What is there already stays.
# The key ring comes from the image renzheng-server: build it first. RENZHENG names another way to run the command.
set -eu

folder=$(cd "$(dirname "$0")" && pwd)/secrets
if [ -e "$folder/key_ring" ]; then
    echo "$folder: has a key ring already, and a lost one cannot be replaced; nothing was changed" >&2
    exit 1
fi
umask 077
mkdir -p "$folder"
random() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }

password=$(random 24)
access=$(random 10)
secret=$(random 24)
printf '%s' "$password" > "$folder/database_password"
printf 'postgresql+psycopg://renzheng:%s@database/renzheng' "$password" > "$folder/database_url"
printf '%s' "$access" > "$folder/s3_access_key"
printf '%s' "$secret" > "$folder/s3_secret_key"
cat > "$folder/s3_config" <<JSON
{"identities": [{"name": "renzheng", "credentials": [{"accessKey": "$access", "secretKey": "$secret"}],
  "actions": ["Admin", "Read", "Write", "List"]}]}
JSON
if [ -n "${RENZHENG:-}" ]; then
    "$RENZHENG" server make-keys "$folder/key_ring"
else
    docker run --rm --user "$(id -u):$(id -g)" -v "$folder:/secrets" renzheng-server server make-keys /secrets/key_ring
fi
# containers read them as users of their own; nobody else enters the folder
chmod 0444 "$folder"/*
echo "$folder: written. Keep a copy of key_ring where the backups of the database are not."
