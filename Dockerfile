# syntax=docker/dockerfile:1
# Node 24 on Debian slim. The image of the base is given by its digest where builds must be reproducible: --build-arg NODE=node@sha256:...
ARG NODE=node:24-bookworm-slim

FROM ${NODE} AS packages
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM ${NODE}
ENV NODE_ENV=production
WORKDIR /app
RUN groupadd --gid 10001 custodia && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data custodia \
  && mkdir /data /evidence && chown custodia:custodia /data && chmod 700 /data
COPY --from=packages /app/node_modules node_modules
COPY package.json LICENSE README.md ./
COPY bin bin
COPY src src
COPY workers workers
COPY fixtures fixtures
COPY docs docs
USER 10001:10001
ENV CUSTODIA_DATA=/data
VOLUME /data
EXPOSE 7400
# --init, or `init: true` in compose.yaml: Node as process 1 would not reap the server's children
ENTRYPOINT ["node", "bin/custodia.cjs"]
CMD ["serve", "--host", "0.0.0.0", "--port", "7400"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:7400/readyz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
