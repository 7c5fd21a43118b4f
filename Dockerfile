# The image of the XNAT command, for any Debian with Python 3.11 or newer.
ARG BASE_IMAGE=python:3.12-slim

FROM ${BASE_IMAGE} AS build
WORKDIR /app
COPY requirements.txt ./
# pip's settings for this site, if any, come as a secret: no layer has them.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    python3 -m venv .venv \
    && .venv/bin/python -m pip install --no-cache-dir --no-compile --disable-pip-version-check --only-binary :all: \
        --requirement requirements.txt \
    && .venv/bin/python -m pip uninstall --yes --quiet setuptools pip \
    && rm -rf .venv/lib/python3*/site-packages/pandas/tests
COPY *.py run.sh LICENSE ./
COPY tcia_xnat tcia_xnat
COPY resources resources
# Bytecode now: the root file system may be read-only later. Readable for everybody, whatever the checkout's umask was.
RUN .venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash .venv tcia_xnat ./*.py \
    && chmod -R a+rX . \
    && chmod a+x run.sh

FROM ${BASE_IMAGE}
# Mount points; without a mount, any user may write the output.
RUN mkdir -p /input /output && chmod 1777 /output
COPY --from=build /app /app
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 TCIA_DOWNLOAD_IMAGE=xnatworks/xnat-tcia-download:2.0.0
WORKDIR /app
ENTRYPOINT ["/app/run.sh"]
LABEL org.opencontainers.image.title="xnat-tcia-download" \
    org.opencontainers.image.description="DICOM series from TCIA and the Imaging Data Commons into XNAT" \
    org.opencontainers.image.version="2.0.0" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.source="https://github.com/mrjamesdickson/xnat-tcia-download"
# What XNAT reads. Made by: python command2Label.py command.json --write Dockerfile
LABEL org.nrg.commands="[{\"name\":\"tcia-ingest\",\"label\":\"TCIA manifest into XNAT\",\"description\":\"Brings the series of a TCIA manifest from the Imaging Data Commons and TCIA into a project. The manifest is a .tcia file in the project's resource TCIA. Each series is proved complete first, and each study is archived once; running it again continues. An empty target project means this project. Another one must exist and be writable for you: this command never creates a project.\",\"version\":\"2.0.0\",\"schema-version\":\"1.0\",\"info-url\":\"https://github.com/mrjamesdickson/xnat-tcia-download\",\"image\":\"xnatworks/xnat-tcia-download:2.0.0\",\"type\":\"docker\",\"command-line\":\"ingest\",\"override-entrypoint\":false,\"reserve-memory\":512,\"limit-memory\":4096,\"limit-cpu\":2.0,\"mounts\":[{\"name\":\"manifest\",\"path\":\"/input\",\"writable\":false},{\"name\":\"out\",\"path\":\"/output\",\"writable\":true}],\"environment-variables\":{\"TCIA_XNAT_MANIFEST_NAME\":\"#MANIFEST_NAME#\",\"TCIA_XNAT_CONTEXT_PROJECT\":\"#CONTEXT_PROJECT#\",\"TCIA_XNAT_TARGET_PROJECT\":\"#TARGET_PROJECT#\",\"TCIA_XNAT_SOURCE\":\"#SOURCE#\",\"TCIA_XNAT_EXISTING\":\"#EXISTING#\",\"TCIA_XNAT_TRANSFERS\":\"#TRANSFERS#\",\"TCIA_XNAT_DRY_RUN\":\"#DRY_RUN#\"},\"inputs\":[{\"name\":\"context-project\",\"label\":\"Project\",\"description\":\"The project that holds the manifest.\",\"type\":\"string\",\"required\":true,\"replacement-key\":\"#CONTEXT_PROJECT#\"},{\"name\":\"manifest-name\",\"label\":\"Manifest\",\"description\":\"The manifest's file name in the resource TCIA.\",\"type\":\"string\",\"required\":true,\"replacement-key\":\"#MANIFEST_NAME#\"},{\"name\":\"target-project\",\"label\":\"Target project\",\"description\":\"ID of the project that gets the images; empty means this project. It must exist and be writable for you; none is created.\",\"type\":\"string\",\"required\":false,\"default-value\":\"\",\"replacement-key\":\"#TARGET_PROJECT#\"},{\"name\":\"source\",\"label\":\"Source\",\"description\":\"Where images come from; auto asks IDC first, TCIA's NBIA for the rest.\",\"type\":\"select-one\",\"required\":true,\"default-value\":\"auto\",\"select-values\":[\"auto\",\"idc\",\"nbia\"],\"replacement-key\":\"#SOURCE#\"},{\"name\":\"existing\",\"label\":\"Series that are there\",\"description\":\"What to do with series that the archive holds already: skip leaves them, append replaces them, error refuses to run.\",\"type\":\"select-one\",\"required\":true,\"default-value\":\"skip\",\"select-values\":[\"skip\",\"append\",\"error\"],\"replacement-key\":\"#EXISTING#\"},{\"name\":\"transfers\",\"label\":\"Transfers\",\"description\":\"Series on their way at once, 1 to 64.\",\"type\":\"number\",\"required\":true,\"default-value\":\"4\",\"replacement-key\":\"#TRANSFERS#\"},{\"name\":\"dry-run\",\"label\":\"Dry run\",\"description\":\"Show what would be done, and change nothing.\",\"type\":\"boolean\",\"required\":false,\"default-value\":\"false\",\"true-value\":\"true\",\"false-value\":\"false\",\"replacement-key\":\"#DRY_RUN#\"}],\"outputs\":[{\"name\":\"report\",\"description\":\"What came of each series.\",\"required\":false,\"mount\":\"out\",\"path\":\"report\"}],\"xnat\":[{\"name\":\"tcia-ingest-project\",\"label\":\"Bring in a TCIA manifest\",\"description\":\"Brings the series of a manifest in this project's resource TCIA into this project, or into another one that exists and is writable for you; it never creates a project.\",\"contexts\":[\"xnat:projectData\"],\"external-inputs\":[{\"name\":\"project\",\"label\":\"Project\",\"description\":\"The project that holds the manifest.\",\"type\":\"Project\",\"required\":true,\"load-children\":true}],\"derived-inputs\":[{\"name\":\"context-project-id\",\"description\":\"The ID of the project that holds the manifest.\",\"type\":\"string\",\"required\":true,\"derived-from-wrapper-input\":\"project\",\"derived-from-xnat-object-property\":\"id\",\"provides-value-for-command-input\":\"context-project\",\"user-settable\":false},{\"name\":\"tcia-resource\",\"label\":\"Resource TCIA\",\"description\":\"The project's resource TCIA, which holds manifests.\",\"type\":\"Resource\",\"required\":true,\"matcher\":\"@.label == 'TCIA'\",\"derived-from-wrapper-input\":\"project\",\"provides-files-for-command-mount\":\"manifest\"},{\"name\":\"manifest-file\",\"label\":\"Manifest\",\"description\":\"A .tcia file of letters, digits, blanks and . _ + - in its name.\",\"type\":\"File\",\"required\":true,\"matcher\":\"@.name =~ /[A-Za-z0-9._ +-]+[.]tcia/i\",\"derived-from-wrapper-input\":\"tcia-resource\"},{\"name\":\"manifest-file-name\",\"description\":\"The manifest's file name.\",\"type\":\"string\",\"required\":true,\"derived-from-wrapper-input\":\"manifest-file\",\"derived-from-xnat-object-property\":\"name\",\"provides-value-for-command-input\":\"manifest-name\",\"user-settable\":false}],\"output-handlers\":[{\"name\":\"report-resource\",\"accepts-command-output\":\"report\",\"as-a-child-of\":\"project\",\"type\":\"Resource\",\"label\":\"TCIA_INGEST\",\"format\":\"JSON\"}]}]}]"
