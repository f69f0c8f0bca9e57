#!/bin/sh
# Makes the pictures of the dashboard anew: the demo's shop runs for a while, its stream is recorded at a terminal, and the
# recording's end is drawn. Needs `script` (util-linux) and a release build.
set -eu
cd "$(dirname "$0")/.."
kamid=$PWD/target/release/kamid
folder=$(mktemp -d "${TMPDIR:-/tmp}/kamid-pictures.XXXXXX")
trap 'rm -rf "$folder"' EXIT
seconds=${1:-150}
cat > "$folder/show" <<EOF
#!/bin/sh
sleep 5
TERM=xterm-256color timeout $seconds script -qec "stty rows 40 cols 120; $kamid top --record $folder/night.ndjson" /dev/null > /dev/null < /dev/null || true
for tab in overview stock failed orders review channels notices instances; do
    LC_ALL=C.UTF-8 $kamid top --once --size 120x30 --tab \$tab --lang en > $folder/\$tab.txt
done
EOF
chmod +x "$folder/show"
KAMID_DEMO_SHOW="$folder/show" docs/demo.sh
"$kamid" top --replay "$folder/night.ndjson" --once --svg --size 120x40 --lang en > docs/top.svg
"$kamid" top --replay "$folder/night.ndjson" --once --svg --size 100x30 --lang zh > docs/top.zh.svg
mkdir -p target/pictures
cp "$folder"/*.txt target/pictures/
echo "docs/top.svg and docs/top.zh.svg are new; each tab as text: target/pictures/"
