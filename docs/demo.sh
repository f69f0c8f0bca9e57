#!/bin/sh
# A shop of its own with a few products, light traffic with some failures, and the dashboard on it. Leaving the dashboard
# stops everything and deletes the shop's data. KAMID_DEMO_SHOW replaces the dashboard by another command, which finds the
# shop in KAMID_DATA.
set -eu
cd "$(dirname "$0")/.."
kamid=$PWD/target/release/kamid
shop=$(mktemp -d "${TMPDIR:-/tmp}/kamid-demo.XXXXXX")
started=""

leave() {
    trap - EXIT INT TERM HUP
    for pid in $started; do kill "$pid" 2>/dev/null || true; done
    for pid in $started; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$shop"
}
trap leave EXIT
trap 'leave; exit 130' INT TERM HUP

printf '[server]\npublic = "127.0.0.1:0"\nadmin = "127.0.0.1:0"\n[notify.mail]\nkind = "folder"\nfrom = "demo@example.com"\n' > "$shop/demo.toml"
export KAMID_DATA="$shop/data" KAMID_CONFIG="$shop/demo.toml"
"$kamid" serve 2> "$shop/log" &
daemon=$!
tries=0
until [ -s "$KAMID_DATA/daemon.json" ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 200 ] || ! kill -0 "$daemon" 2>/dev/null; then cat "$shop/log" >&2; kill "$daemon" 2>/dev/null || true; exit 1; fi
    sleep 0.1
done

stock() { # product, keys, further settings
    product=$1 keys=$2
    shift 2
    "$kamid" product add "$product" --price 9.90 "$@" > /dev/null
    if [ "$keys" -gt 0 ]; then seq 1 "$keys" | sed "s/^/$product-/" | "$kamid" keys import "$product" - > /dev/null; fi
}
stock steam-10 4000
stock netflix-month 120 --low 100
stock office-2026 900
stock game-pass 40

# Buyers of those products: most pay, some pay too little, some never.
buyers() {
    turn=0
    while sleep 0.4; do
        turn=$((turn + 1))
        case $((turn % 5)) in 0) product=netflix-month ;; 1) product=game-pass ;; *) product=steam-10 ;; esac
        how=""
        [ $((turn % 40)) = 7 ] && how=--less
        [ $((turn % 9)) = 3 ] && how=--twice
        id=$("$kamid" order new "$product" --contact demo@example.com --json 2>/dev/null | sed -n 's/.*"id": *"\([0-9A-Z]\{20\}\)".*/\1/p' | head -1)
        [ -n "$id" ] && [ $((turn % 11)) != 5 ] && "$kamid" order pay "$id" $how > /dev/null 2>&1
    done
}
buyers &
buying=$!
# A gateway's callbacks, right and wrong ones; each run has a product of its own, taken off sale afterwards.
gateway() {
    trap 'kill $load 2>/dev/null; exit' TERM
    while :; do
        "$kamid" hammer mix --rate 25 --for 300s --no-audit --mix paid=89,duplicate=6,forged=3,wrong-amount=1,unknown=1 > /dev/null 2>&1 &
        load=$!
        wait $load || sleep 1
    done
}
gateway &
started="$buying $! $daemon"
${KAMID_DEMO_SHOW:-"$kamid" top}
