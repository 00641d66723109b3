# One image for everything; the command chooses: python -m services.writer, lifecycle migrate, ...
FROM python:3.13-slim AS packages
WORKDIR /build
COPY requirements.lock .
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.lock

FROM python:3.13-slim
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    LIFECYCLE_HTTP_HOST=0.0.0.0 \
    LIFECYCLE_HTTP_PORT=8080 \
    LIFECYCLE_LOG_FORMAT=json
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin lifecycle \
 && mkdir -p /secrets/postgres /secrets/rabbitmq /secrets/owner /secrets/topology /secrets/fetcher \
    /secrets/normalizer /secrets/writer /secrets/writeback /secrets/scheduler /secrets/cli /secrets/keys \
    /secrets/login /secrets/private /secrets/public \
 && chown -R lifecycle:lifecycle /secrets \
 && printf '#!/bin/sh\nexec python -m lifecycle "$@"\n' > /usr/local/bin/lifecycle \
 && chmod 755 /usr/local/bin/lifecycle
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY shared shared
COPY services services
COPY lifecycle lifecycle
COPY simulator simulator
COPY migrations migrations
RUN python -m compileall -q /app
USER 10001
EXPOSE 8080
CMD ["lifecycle", "--help"]
