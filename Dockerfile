# The image of one deployable: operator, api or imaging.
#   docker build --build-arg DEPLOYABLE=api --tag imghost-api .
ARG BASE_IMAGE=python:3.11-slim-bookworm
# The same Python with venv and pip, where the base has none.
ARG BUILD_IMAGE=${BASE_IMAGE}

FROM ${BUILD_IMAGE} AS build
ARG DEPLOYABLE
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PYTHONDONTWRITEBYTECODE=1 SOURCE_DATE_EPOCH=315532800
WORKDIR /src
RUN python3 -m venv /build && python3 -m venv --without-pip /opt/imghost
COPY requirements/build.txt requirements/${DEPLOYABLE}.txt requirements/
# The secrets are pip's own settings where a private index or authority is used: seen by this step, kept by no layer.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=ca,target=/etc/pip-ca.pem \
    /build/bin/pip install --quiet --require-hashes -r requirements/build.txt && \
    /build/bin/pip --python /opt/imghost/bin/python install --quiet --require-hashes -r requirements/${DEPLOYABLE}.txt
# What a library tests itself with stays out. Bytecode is made now, for the root file system is read-only later; it is
# checked by hash, so that dates do not matter.
RUN rm -rf /opt/imghost/lib/python3*/site-packages/Crypto/SelfTest && \
    /opt/imghost/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/imghost/lib
COPY LICENSE README.md pyproject.toml ./
COPY tools/imghost_dev/sbom.py tools/
COPY services services
COPY operator operator
# The wheel has the shared package and the deployable's own, whichever others are in the context; the command line,
# whose entry point comes with every wheel of this project, stays out.
RUN find services operator -maxdepth 2 -name 'imghost_*' \
      ! -name imghost_core ! -name "imghost_${DEPLOYABLE}" -exec rm -r {} + && \
    /build/bin/python -m hatchling build -t wheel -d /wheel && \
    /build/bin/pip --python /opt/imghost/bin/python install --quiet --no-index --no-deps /wheel/*.whl && \
    rm /opt/imghost/bin/imghost /opt/imghost/lib/python3*/site-packages/imghost-*.dist-info/entry_points.txt && \
    /opt/imghost/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/imghost/lib/python3*/site-packages/imghost_* && \
    printf '#!/bin/sh\nexec python -m imghost_%s "$@"\n' "${DEPLOYABLE}" >/opt/imghost/bin/entrypoint && \
    chmod 755 /opt/imghost/bin/entrypoint

FROM ${BASE_IMAGE}
ARG DEPLOYABLE
LABEL org.opencontainers.image.title="imghost-${DEPLOYABLE}" \
      org.opencontainers.image.description="Image hosting on Kubernetes: ${DEPLOYABLE}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      dev.imghost.sbom="/opt/imghost/sbom.cdx.json"
# A name for the user, since some libraries look it up; no installer in what runs.
RUN echo 'imghost:x:65532:65532::/tmp:/usr/sbin/nologin' >>/etc/passwd && \
    rm -rf /usr/local/bin/pip* /usr/local/lib/python3*/site-packages/pip*
COPY --from=build /opt/imghost /opt/imghost
RUN --mount=type=bind,from=build,source=/src/tools,target=/run/tools \
    /opt/imghost/bin/python -B /run/tools/sbom.py >/opt/imghost/sbom.cdx.json
# Not the working directory: only what is installed is imported.
ENV PATH=/opt/imghost/bin:/usr/local/bin:/usr/bin:/bin HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1
USER 65532:65532
# The api takes its role as argument: server (see `python -m imghost_api`).
ENTRYPOINT ["entrypoint"]
