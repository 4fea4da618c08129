# The edge agent. Build from the repository's root: docker build -f docker/edge.Dockerfile -t renzheng-edge .
FROM python:3.12-slim-bookworm AS build

WORKDIR /src
COPY constraints.txt pyproject.toml README.md LICENSE NOTICE ./
COPY renzheng renzheng
COPY models models
COPY vision vision
COPY calibration calibration
COPY edge_agent edge_agent
RUN python -m venv /opt/renzheng \
    && /opt/renzheng/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt .
# weights are brought at build time and checked by digest, so that a box without a line to anywhere starts at once
RUN RENZHENG_CACHE_DIR=/var/cache/renzheng /opt/renzheng/bin/renzheng models fetch opencv-zoo

FROM python:3.12-slim-bookworm

RUN groupadd --system --gid 10001 renzheng \
    && useradd --system --uid 10001 --gid renzheng --no-create-home --shell /usr/sbin/nologin renzheng \
    && install -d -o renzheng -g renzheng -m 0700 /var/lib/renzheng /etc/renzheng
COPY --from=build /opt/renzheng /opt/renzheng
COPY --from=build --chown=renzheng:renzheng /var/cache/renzheng /var/cache/renzheng

ENV PATH=/opt/renzheng/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    RENZHENG_CACHE_DIR=/var/cache/renzheng
USER 10001:10001
VOLUME ["/var/lib/renzheng"]
EXPOSE 8070
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["renzheng", "edge", "status", "--config", "/etc/renzheng/edge.toml", "--quiet"]
ENTRYPOINT ["renzheng"]
CMD ["edge", "run", "--config", "/etc/renzheng/edge.toml"]
