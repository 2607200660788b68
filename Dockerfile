# The image of every Natter server: `natter control`, `natter node`, `natter worker`, and the commands beside them.
# What is installed, and from where, is the Makefile's business; here is only what a machine needs for that.

FROM debian:12-slim AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends make python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/natter
COPY . .
RUN make image-install

FROM debian:12-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin natter \
 && install -d -o natter -g natter -m 0700 /var/lib/natter
COPY --from=build /opt/natter /opt/natter
# Servers write nothing but their log to stdout, so the file system may be read-only; the worker's ready file wants /tmp.
ENV PATH=/opt/natter/.venv/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1
WORKDIR /opt/natter
USER 10001:10001
EXPOSE 8000 8100
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-m", "ops.health"]
ENTRYPOINT ["natter"]
CMD ["--help"]
