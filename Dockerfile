# The image of Quayside: the static binary that `make image` builds, and nothing else.
#
# No CA certificates: the API server's authority is mounted into every Pod, and for the APIs of Quay and Gitea Mozilla's
# are built in. For `quayside send` to an https URL from inside of the container, mount a bundle and name it with --cacert.
FROM scratch
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Quayside" \
      org.opencontainers.image.description="Turns webhooks of registries and Git hosts into refreshes of Kargo Warehouses" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY target/image/quayside /usr/local/bin/quayside
ENV PATH=/usr/local/bin
# Numeric, so that the kubelet can tell it from root (runAsNonRoot).
USER 65532:65532
EXPOSE 8080 9090
ENTRYPOINT ["quayside"]
CMD ["run"]
