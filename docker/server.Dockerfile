# The review server. Build from the repository's root: docker build -f docker/server.Dockerfile -t renzheng-server .
FROM python:3.12-slim-bookworm AS build

WORKDIR /src
COPY constraints.txt pyproject.toml README.md LICENSE NOTICE ./
COPY renzheng renzheng
COPY models models
COPY vision vision
COPY calibration calibration
COPY server server
RUN python -m venv /opt/renzheng \
    && /opt/renzheng/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt '.[s3]'
# weights are brought at build time and checked by digest: photos are enrolled without a line to anywhere
RUN RENZHENG_CACHE_DIR=/var/cache/renzheng /opt/renzheng/bin/renzheng models fetch opencv-zoo

FROM python:3.12-slim-bookworm

RUN groupadd --system --gid 10001 renzheng \
    && useradd --system --uid 10001 --gid renzheng --no-create-home --shell /usr/sbin/nologin renzheng \
    && install -d -o renzheng -g renzheng -m 0700 /var/lib/renzheng-server
COPY --from=build /opt/renzheng /opt/renzheng
COPY --from=build --chown=renzheng:renzheng /var/cache/renzheng /var/cache/renzheng

ENV PATH=/opt/renzheng/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    RENZHENG_CACHE_DIR=/var/cache/renzheng \
    RENZHENG_SERVER_DATA_DIR=/var/lib/renzheng-server \
    RENZHENG_SERVER_HOST=0.0.0.0
USER 10001:10001
VOLUME ["/var/lib/renzheng-server"]
EXPOSE 8600
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8600/healthz', timeout=4)"]
ENTRYPOINT ["renzheng"]
CMD ["server", "run"]
