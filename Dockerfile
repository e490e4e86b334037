# Builds the wheel, whose pages npm bundles.
FROM node:22-bookworm-slim AS wheel
RUN apt-get update && apt-get install -y --no-install-recommends python3-pip && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN pip wheel --no-deps --wheel-dir /wheels .

# Installs the wheel with the tested versions of its dependencies.
FROM python:3.12-slim-bookworm AS packages
COPY --from=wheel /wheels /wheels
COPY constraints.txt /wheels/
RUN python -m venv /opt/recallql && /opt/recallql/bin/pip install --no-cache-dir -c /wheels/constraints.txt /wheels/*.whl

FROM python:3.12-slim-bookworm
# mongod, which runs where no MongoDB is set, is linked with libcurl.
RUN apt-get update && apt-get install -y --no-install-recommends libcurl4 && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home --shell /usr/sbin/nologin recallql
COPY --from=packages /opt/recallql /opt/recallql
ENV PATH=/opt/recallql/bin:$PATH
USER 10001:10001
WORKDIR /home/recallql
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/ready', timeout=4)"]
ENTRYPOINT ["recallql"]
CMD ["serve", "--host", "0.0.0.0"]
