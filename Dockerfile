# syntax=docker/dockerfile:1
# Release the Python that the tests ran on.
ARG PYTHON=3.11
ARG UV=0.13

FROM python:${PYTHON}-slim AS build
ARG UV
RUN pip install --no-cache-dir "uv==${UV}.*"
# Bytecode is shipped: on a read-only root file system it cannot be written later, and imports would take four times as long.
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PYTHON_DOWNLOADS=never
WORKDIR /src
RUN uv venv --python /usr/local/bin/python /app
ENV VIRTUAL_ENV=/app
COPY requirements.txt .
RUN uv pip install --no-cache --require-hashes -r requirements.txt
# What is never used here, 90 MB with its bytecode: AWS service models other than S3 and the ways to log in, and the asynchronous
# half of the kubernetes client.
RUN find /app/lib/python*/site-packages/botocore/data -mindepth 1 -maxdepth 1 -type d \
      ! -name s3 ! -name sts ! -name 'sso*' ! -name signin -exec rm -r {} + \
 && rm -rf /app/lib/python*/site-packages/kubernetes/aio
COPY pyproject.toml README.md LICENSE ./
COPY operator ./operator
RUN uv pip install --no-cache --no-deps .

FROM python:${PYTHON}-slim
LABEL org.opencontainers.image.title="videogen-operator" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# Numeric, so that runAsNonRoot can be checked.
USER 65532:65532
ENTRYPOINT ["python", "-m", "videogen_operator"]
