# Two stages: one that installs, one that runs. The second has no compiler, no pip, no uv and no lock file.
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
WORKDIR /src
COPY requirements.lock pyproject.toml LICENSE ./
# The lock holds what a contributor needs too; the image takes what calends itself asks for, in the lock's versions. A lock
# that is there already keeps its hashes.
RUN python -m venv /opt/tools \
 && awk '/^uv==/{p=1} p{print} p && !/\\$/{exit}' requirements.lock > /tmp/uv.lock \
 && /opt/tools/bin/pip install --no-cache-dir --require-hashes --no-deps -r /tmp/uv.lock \
 && tee /tmp/run.lock /tmp/build.lock < requirements.lock > /dev/null \
 && /opt/tools/bin/uv pip compile --quiet --no-annotate --no-header --generate-hashes --constraint requirements.lock \
      --extra demo --extra registry pyproject.toml --output-file /tmp/run.lock \
 && echo hatchling > /tmp/build.in \
 && /opt/tools/bin/uv pip compile --quiet --no-annotate --no-header --generate-hashes --constraint requirements.lock \
      /tmp/build.in --output-file /tmp/build.lock \
 && python -m venv --without-pip /opt/calends \
 && /opt/tools/bin/uv pip install --python /opt/tools/bin/python --require-hashes --no-deps -r /tmp/build.lock \
 && /opt/tools/bin/uv pip install --python /opt/calends/bin/python --require-hashes --no-deps -r /tmp/run.lock
COPY pipeline ./pipeline
COPY configs/examples ./configs/examples
RUN /opt/tools/bin/python -m hatchling build --target wheel --directory /tmp/dist \
 && /opt/tools/bin/uv pip install --python /opt/calends/bin/python --no-deps /tmp/dist/*.whl \
 && /opt/calends/bin/python -m compileall -q /opt/calends

FROM ${BASE}
LABEL org.opencontainers.image.title="calends" \
      org.opencontainers.image.licenses="Apache-2.0"
# What could install something goes, the base image's own and the wheels it would come back from included.
RUN find /usr -depth -regextype posix-extended -regex \
      '.*/(ensurepip|python-wheels|pip([0-9.]*|-.*)|(setuptools|wheel)(-.*)?|pkg_resources|_distutils_hack|distutils-precedence\.pth)' \
      -exec rm -rf {} + \
 && ! python -m pip --version 2>/dev/null && ! python -m ensurepip --version 2>/dev/null
COPY --from=build /opt/calends /opt/calends
# Zones come from the locked tzdata wheel, never from the base image: every replica knows the same clock changes.
# Nothing is written but to /tmp, so the root file system may be read-only.
# The admin port is for probes and scrapes from outside the container; Calends' own default is loopback.
ENV PATH=/opt/calends/bin:$PATH \
    CALENDS_ADMIN__HOST=0.0.0.0 \
    PYTHONTZPATH="" \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
WORKDIR /tmp
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import http.client as h, sys; c = h.HTTPConnection('127.0.0.1', 8080, timeout=2); c.request('GET', '/livez'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["calends"]
CMD ["run"]
