# syntax=docker/dockerfile:1
# Traghetto in a container: `docker compose up`, or
#     docker build -t traghetto . && docker run -p 127.0.0.1:8000:8000 -e TRAGHETTO_ADMIN_KEY=... traghetto
# With Ray, for more than one machine: `docker build --build-arg EXTRAS=cluster -t traghetto-cluster .`;
# for GPUs: `--build-arg TORCH=cuda`.
# The image is built with the same `make install` as everywhere else, and holds the bundled models.
ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS build
ARG EXTRAS=
ARG TORCH=cpu
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --no-install-recommends --yes gcc libc6-dev make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /srv/traghetto
# what decides which libraries are installed, first: a change of our own code keeps this layer
COPY pyproject.toml constraints.txt Makefile README.md LICENSE ./
COPY scripts scripts
RUN mkdir app model training && touch app/__init__.py model/__init__.py training/__init__.py && make .venv/.installed-${EXTRAS:+${EXTRAS}-}${TORCH} TORCH=${TORCH}
COPY alembic.ini ./
COPY migrations migrations
COPY training training
COPY app app
COPY model model
RUN make install TORCH=${TORCH} && .venv/bin/python -m compileall -q app model training

FROM python:${PYTHON}
RUN useradd --system --uid 10001 --user-group --create-home --home-dir /var/lib/traghetto traghetto
COPY --from=build /srv/traghetto /srv/traghetto
ENV PATH=/srv/traghetto/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TRAGHETTO_DATA_DIR=/var/lib/traghetto
USER 10001:10001
WORKDIR /var/lib/traghetto
VOLUME /var/lib/traghetto
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health/ready', timeout=4)"]
# listening on all of the container's addresses needs TRAGHETTO_ADMIN_KEY
ENTRYPOINT ["traghetto"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
