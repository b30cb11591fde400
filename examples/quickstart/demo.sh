#!/usr/bin/env bash
# One question answered end to end on this machine, then checked offline, then attacked.
# Called by `make demo`. KEEP=1 leaves the broker running and prints curl lines that work.
# LISTEN=127.0.0.1:PORT chooses another address; PROGRAMS names the folder of the binaries.
set -euo pipefail
cd "$(dirname "$0")/../.."

listen=${LISTEN:-127.0.0.1:8443}
programs=${PROGRAMS:-target/release}
demo=target/demo
state=$demo/state
out=$demo/out
keys=examples/quickstart/dev-keys
host=verify.acme.localhost
server=https://$host:${listen##*:}
pavilion=$programs/kubectl-pavilion

# A broker that KEEP=1 left running still owns its state.
if [ -e "$state/lock" ] && ! flock --nonblock "$state/lock" true; then
  echo "a broker still runs on $state: stop it first: kill $(grep -o '[0-9]*' "$state/lock")" >&2
  exit 69
fi
rm -rf "$demo"
mkdir -p "$out"
transcript=$out/transcript.txt
: >"$transcript"

# Everything a person sees also goes into the transcript, without colour.
say() { printf '%s\n' "$@" | tee -a "$transcript"; }
step() { say "" "── $*"; }
show() {
  say "\$ $(printf '%q ' "$@" | sed "s|$programs/||; s| \$||")"
  "$@" 2>&1 | tee -a "$transcript"
}
# refused EXIT WORD… -- COMMAND…: a refusal is what the step wants to see, with this exit code and these
# words in what it says; any other outcome fails the demo.
refused() {
  local code=$1 words=() got=0 before said word
  shift
  while [ "$1" != -- ]; do
    words+=("$1")
    shift
  done
  shift
  before=$(wc -c <"$transcript")
  "$@" || got=$?
  said=$(tail -c "+$((before + 1))" "$transcript")
  if [ "$got" != "$code" ]; then
    say "expected a refusal with exit code $code, got $got"
    exit 1
  fi
  for word in "${words[@]}"; do
    if ! grep -qF -- "$word" <<<"$said"; then
      say "expected a refusal that says $word"
      exit 1
    fi
  done
}

ask() {
  "$pavilion" ask --server "$server" --connect "$listen" --cacert "$state/tenants/acme/tls/ca.pem" \
    --as shop --key "$keys/shop.jwk.json" "$@"
}
shown_ask() {
  say "\$ kubectl-pavilion ask --as shop $(printf '%q ' "$@")"
  ask "$@" 2>&1 | tee -a "$transcript"
}

broker=
stop() {
  [ -n "$broker" ] && kill "$broker" 2>/dev/null && wait "$broker" 2>/dev/null || true
  broker=
}
trap stop EXIT

wait_until_ready() {
  local since=$SECONDS
  until "$pavilion" status acme --state "$state" 2>/dev/null | awk '$1 == "acme" {exit $2 != "True"} END {if (NR == 0) exit 1}'; do
    if ! kill -0 "$broker" 2>/dev/null; then
      say "the broker ended:"
      tail -n 5 "$demo/broker.log" | tee -a "$transcript"
      exit 1
    fi
    if [ $((SECONDS - since)) -ge 30 ]; then
      say "the broker is not ready after 30 s; its log is $demo/broker.log"
      exit 1
    fi
    [ -t 1 ] && printf '.'
    sleep 0.05
  done
  [ -t 1 ] && printf '\r'
  return 0
}

step "1. Start the broker: an edge, and for tenant acme a verifier, a signer with its own SoftHSM token, and an auditor"
"$programs/pavilion-operator" standalone --manifests examples/quickstart --state "$state" --listen "$listen" \
  >"$demo/broker.log" 2>&1 &
broker=$!
wait_until_ready
show "$pavilion" status --state "$state"

step "2. A demo issuer gives the holder a credential; nobody but the holder has the holder's key"
# issue CLAIMS FILE: the demo issuer's credential of these claims, each of which can be kept back
issue() {
  "$pavilion" dev issue --issuer-key "$keys/issuer.jwk.json" --issuer https://issuer.example \
    --type urn:eudi:pid:1 --holder-key "$demo/holder.jwk.json" --claims "$1" >"$2"
}
# present NONCE FILE CREDENTIAL CLAIM…: the demo wallet shows these claims to the broker
present() {
  local nonce=$1 file=$2 credential=$3 claims=()
  shift 3
  for claim in "$@"; do claims+=(--disclose "$claim"); done
  "$pavilion" dev present --credential "$credential" --holder-key "$demo/holder.jwk.json" \
    --audience "$server" --nonce "$nonce" "${claims[@]}" >"$file"
}
"$pavilion" dev key --out "$demo/holder.jwk.json" >/dev/null 2>&1
adult='{"birthdate": "1990-05-17", "given_name": "Erika", "address": {"country": "DE"}}'
issue "$adult" "$demo/pid.sd-jwt"
say "issued urn:eudi:pid:1 with $adult"
nonce() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

step "3. The wallet discloses the birthdate alone; the shop asks whether the holder is over 18"
answered=$(nonce)
present "$answered" "$out/presentation.sd-jwt" "$demo/pid.sd-jwt" birthdate
shown_ask --policy over18 --purpose age-restricted-sale --nonce "$answered" \
  --presentation "pid=$out/presentation.sd-jwt" --out "$out"
say "" "the answer as a signed token ($out/answer.jwt):" "$(cat "$out/answer.jwt")"

step "4. Anybody can check the answer without asking the broker again"
show "$pavilion" verify "$out" --policy examples/quickstart/policies.yaml#over18

step "5a. A refused question: every clause that does not hold is named"
fresh=$(nonce)
issue '{"birthdate": "2015-05-17", "address": {"country": "US"}}' "$demo/child.sd-jwt"
present "$fresh" "$demo/child.presentation" "$demo/child.sd-jwt" birthdate address
refused 1 'FAIL account-opening' 'rule.all[0]' 'rule.all[1]' 'rule.all[2]' clause_not_met -- \
  shown_ask --policy account-opening --purpose account-opening --nonce "$fresh" \
  --presentation "pid=$demo/child.presentation"

step "5b. A replayed presentation: the broker answered for it once"
refused 4 presentation_replayed -- shown_ask --policy over18 --purpose age-restricted-sale --nonce "$answered" \
  --presentation "pid=$out/presentation.sd-jwt"

step "5c. A receipt with one flipped byte"
forged=$demo/forged
cp -r "$out" "$forged"
flip() { # FILE OFFSET: flips the lowest bit of one byte
  local byte
  byte=$(od -An -j"$2" -N1 -tu1 "$1" | tr -d ' ')
  printf "\\x$(printf '%02x' $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
flip "$forged/receipt.tlog-proof" 60
refused 1 '✘ failed' -- show "$pavilion" verify "$forged"

step "Done. What the shop keeps is in $out:"
for file in "$out"/*; do say "  $(basename "$file")"; done

if [ "${KEEP:-}" = 1 ]; then
  say "" "the broker keeps running (pid $broker). Try:" \
    "  curl --cacert $state/tenants/acme/tls/ca.pem --resolve $host:${listen##*:}:${listen%:*} $server/.well-known/pavilion-configuration" \
    "  curl --cacert $state/tenants/acme/tls/ca.pem --resolve $host:${listen##*:}:${listen%:*} $server/.well-known/jwks.json" \
    "  curl --cacert $state/tenants/acme/tls/ca.pem --resolve $host:${listen##*:}:${listen%:*} $server/log/checkpoint" \
    "stop it with: kill $broker"
  trap - EXIT
fi
