# The HTTP API. Predictors come from the volume: run `archgauge profile` on the device, or `archgauge tables import`.
FROM python:3.12.11-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY client client
COPY graphs graphs
COPY lookup_tables lookup_tables
COPY profilers profilers
COPY predictors predictors
COPY service service
COPY archgauge archgauge
COPY deploy/constraints.txt constraints.txt
RUN python -m venv /opt/archgauge \
    && /opt/archgauge/bin/pip install --no-cache-dir --disable-pip-version-check --constraint constraints.txt ./client '.[serve,postgres]'

FROM python:3.12.11-slim
COPY --from=build /opt/archgauge /opt/archgauge
RUN useradd --system --uid 10001 --create-home archgauge \
    && install --directory --owner archgauge /data
ENV PATH=/opt/archgauge/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ARCHGAUGE_DATA_DIR=/data
USER archgauge
VOLUME /data
EXPOSE 8080
ENTRYPOINT ["archgauge"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8080"]
