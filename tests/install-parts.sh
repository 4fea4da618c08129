#!/bin/sh
# What some tests use and a machine may lack: a browser and a font with Chinese for the tests of pages, GStreamer's
# RTSP server for those of cameras, mosquitto for those of MQTT, PostgreSQL for those of the server.
# Installs them where that can be done without asking; never fails, because those tests skip without them.
set -u

CHROMIUM=/usr/bin/chromium
NOTO_CJK=/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc

has_chinese_font() {
    [ -e "$NOTO_CJK" ] || [ -n "$(fc-list :lang=zh family 2>/dev/null)" ]
}

has_rtsp_server() {
    /usr/bin/python3 - >/dev/null 2>&1 <<'EOF'
import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer
Gst.init(None)
needed = "videotestsrc x264enc rtph264pay jpegenc rtpjpegpay"
raise SystemExit(any(Gst.ElementFactory.find(name) is None for name in needed.split()))
EOF
}

has_postgresql() {
    command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1
}

missing() {
    [ -x "$CHROMIUM" ] || printf ' chromium'
    has_chinese_font || printf ' fonts-noto-cjk'
    has_rtsp_server || printf ' python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly'
    [ -x /usr/sbin/mosquitto ] || command -v mosquitto >/dev/null 2>&1 || printf ' mosquitto'
    has_postgresql || printf ' postgresql'
}

leave() {
    echo "test parts: missing$wanted ($1): tests that use them will skip, or show no Chinese"
    exit 0
}

wanted=$(missing)
[ -n "$wanted" ] || exit 0
command -v apt-get >/dev/null 2>&1 || leave "no apt-get here to install with"
[ "$(id -u)" -eq 0 ] || leave "not root, so nothing is installed"

echo "test parts: installing$wanted, which only tests use"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq -o Acquire::Retries=0 -o Acquire::http::Timeout=20 >/dev/null 2>&1
for part in $wanted; do
    apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=60 "$part" >/dev/null 2>&1
done
wanted=$(missing)
[ -z "$wanted" ] || leave "apt-get could not bring it"
