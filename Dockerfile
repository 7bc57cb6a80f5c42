# One image for serve, worker, migrate and every other command of gati-registry.
# The base needs Python 3.11 or newer with its venv module, and useradd.
ARG BASE=docker.io/library/python:3.13-slim-bookworm

FROM ${BASE} AS build
WORKDIR /src
COPY requirements/server.txt requirements/build.txt requirements/
# The secret is an optional pip.conf for machines behind a mirror; it does not end up in a layer.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    python3 -m venv /opt/gati \
    && python3 -m venv /tmp/build \
    && /opt/gati/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --no-deps -r requirements/server.txt \
    && /tmp/build/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --no-deps -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY registry registry
COPY migrations migrations
RUN /tmp/build/bin/python -m hatchling build -t wheel -d /tmp/wheel \
    && /opt/gati/bin/pip install --no-cache-dir --disable-pip-version-check --no-index --no-deps /tmp/wheel/*.whl \
    && /opt/gati/bin/pip uninstall --yes --quiet pip \
    && /opt/gati/bin/python -m compileall -q /opt/gati/lib

FROM ${BASE}
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /var/lib/gati --shell /usr/sbin/nologin gati \
    && install -d -o gati -g gati -m 0700 /var/lib/gati
COPY --from=build /opt/gati /opt/gati
ENV PATH=/opt/gati/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0 \
    PORT=8080 \
    GATI_DATA_DIR=/var/lib/gati
USER 10001:10001
WORKDIR /var/lib/gati
VOLUME /var/lib/gati
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s --retries=3 \
    CMD ["python", "-m", "registry.admin.healthy"]
ENTRYPOINT ["gati-registry"]
CMD ["serve"]
